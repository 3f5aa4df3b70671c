package verify

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// maxPause bounds what a provider can ask for in Retry-After.
	maxPause = 10 * time.Minute
	// defaultPause follows an answer 429 that names none.
	defaultPause = time.Minute
)

// pace spaces the requests to one provider and keeps the pauses it asks for.
type pace struct {
	gap time.Duration

	mu     sync.Mutex
	next   time.Time // earliest time of the next request
	paused time.Time // the provider said: not before
}

// wait returns when a request may start. It returns false at once while the
// provider's own pause lasts, and false when ctx is done.
func (p *pace) wait(ctx context.Context, now func() time.Time) bool {
	p.mu.Lock()
	t := now()
	if t.Before(p.paused) {
		p.mu.Unlock()
		return false
	}
	start := p.next
	if start.Before(t) {
		start = t
	}
	p.next = start.Add(p.gap)
	p.mu.Unlock()
	if !start.After(t) {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(start.Sub(t))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !now().Before(p.paused) // one that was waiting as well may have been told to pause
}

// pause keeps requests back as the answer asks.
func (p *pace) pause(h http.Header, now time.Time) {
	d := retryAfter(h, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(d); until.After(p.paused) {
		p.paused = until
	}
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	d := defaultPause
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxPause)
}
