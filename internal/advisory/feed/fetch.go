package feed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxRedirects = 5
	attempts     = 3
	maxPause     = 30 * time.Second
)

// Transport is how servers are reached. Zero fields mean the default.
type Transport struct {
	// Proxy: Optional: as of http.Transport. Default: none.
	Proxy func(*http.Request) (*url.URL, error)
	// TLS: Optional: as of http.Transport. Default: the system's roots.
	TLS *tls.Config
	// Stall is how long a server may send nothing. Default: 60 s.
	Stall time.Duration
	// Pause is the wait before the second attempt; it doubles. Default: 1 s.
	Pause time.Duration
}

// client fetches files.
type client struct {
	http         *http.Client
	stall, pause time.Duration
}

func newClient(t Transport) *client {
	if t.Stall == 0 {
		t.Stall = time.Minute
	}
	if t.Pause == 0 {
		t.Pause = time.Second
	}
	return &client{
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                 t.Proxy,
				TLSClientConfig:       t.TLS,
				DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
				TLSHandshakeTimeout:   15 * time.Second,
				ResponseHeaderTimeout: t.Stall,
				// Sizes and validators are of the file as it is stored.
				DisableCompression:     true,
				MaxResponseHeaderBytes: 64 << 10,
				MaxIdleConnsPerHost:    8,
				IdleConnTimeout:        30 * time.Second,
				ForceAttemptHTTP2:      true,
			},
			CheckRedirect: checkRedirect,
		},
		stall: t.Stall, pause: t.Pause,
	}
}

// checkRedirect lets a server send us elsewhere only over https, or, if it is
// asked over http, to another place of its own.
func checkRedirect(next *http.Request, before []*http.Request) error {
	last := before[len(before)-1].URL
	switch {
	case len(before) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case next.URL.Scheme == "https":
		return nil
	case next.URL.Scheme != "http" || last.Scheme == "https":
		return fmt.Errorf("the server redirects from %s to %s, which is refused", last.Scheme, next.URL.Scheme)
	case next.URL.Host != last.Host:
		return fmt.Errorf("the server redirects to another host, %s, without https, which is refused", clip(next.URL.Host))
	}
	return nil
}

// validators tell a server which state of a file is known.
type validators struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"` // the header Last-Modified
}

// statusError is an answer other than the file.
type statusError struct {
	code  int
	after time.Duration // the server's Retry-After
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the server answered %d %s", e.code, http.StatusText(e.code))
}

// get writes the file at address to w and returns its validators. If the server
// says that the state known is current, same is true and nothing is written. On
// a second attempt w is emptied by reset.
func (c *client) get(ctx context.Context, address string, known validators, most int64, w io.Writer, reset func() error) (v validators, same bool, err error) {
	pause := c.pause
	for attempt := 1; ; attempt++ {
		v, same, err = c.once(ctx, address, known, most, w)
		if err == nil || attempt == attempts || ctx.Err() != nil || !transient(err) {
			break
		}
		var status *statusError
		if errors.As(err, &status) && status.after > pause {
			pause = min(status.after, maxPause)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause *= 2
		if err := reset(); err != nil {
			return v, false, err
		}
	}
	if err != nil {
		return v, false, fmt.Errorf("fetching %s: %w", Public(address), withoutURL(err))
	}
	return v, same, nil
}

// withoutURL takes the address, which may hold credentials, out of an error of
// net/http.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// errOversize and errStalled are final and passing.
var (
	errOversize = errors.New("the answer is too large")
	errStalled  = errors.New("the server stopped sending")
)

// transient reports whether another attempt may help.
func transient(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		return status.code == http.StatusTooManyRequests || status.code >= 500
	}
	var network net.Error
	return errors.Is(err, errStalled) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.As(err, &network)
}

func (c *client) once(ctx context.Context, address string, known validators, most int64, w io.Writer) (validators, bool, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return validators{}, false, err
	}
	req.Header.Set("User-Agent", "bulwark")
	if known.ETag != "" {
		req.Header.Set("If-None-Match", known.ETag)
	}
	if known.Modified != "" {
		req.Header.Set("If-Modified-Since", known.Modified)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return validators{}, false, err
	}
	defer func() { _ = res.Body.Close() }() // only read
	v := validators{header(res, "ETag"), header(res, "Last-Modified")}
	switch {
	case res.StatusCode == http.StatusNotModified && known != (validators{}):
		return known, true, nil
	case res.StatusCode != http.StatusOK:
		seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if err != nil || seconds < 0 || seconds > 3600 {
			seconds = 0
		}
		return v, false, &statusError{res.StatusCode, time.Duration(seconds) * time.Second}
	case res.ContentLength > most:
		return v, false, fmt.Errorf("%w: %d bytes, at most %d are read", errOversize, res.ContentLength, most)
	}
	timer := time.AfterFunc(c.stall, func() { cancel(errStalled) })
	defer timer.Stop()
	n, err := io.Copy(w, io.LimitReader(&watched{res.Body, timer, c.stall}, most+1))
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errStalled):
		return v, false, fmt.Errorf("%w for %s", errStalled, c.stall)
	case err != nil:
		return v, false, err
	case n > most:
		return v, false, fmt.Errorf("%w: at most %d bytes are read", errOversize, most)
	case res.ContentLength >= 0 && n != res.ContentLength:
		return v, false, io.ErrUnexpectedEOF
	}
	return v, false, nil
}

// header is a validator if it is of a decent size.
func header(res *http.Response, name string) string {
	if h := res.Header.Get(name); len(h) <= 256 {
		return h
	}
	return ""
}

// watched puts off the alarm with each read.
type watched struct {
	r     io.Reader
	timer *time.Timer
	stall time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.timer.Reset(w.stall)
	return n, err
}

// IsURL reports whether a source is an address and not a folder or file.
func IsURL(s string) bool {
	scheme, _, found := strings.Cut(s, "://")
	return found && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// Public is an address without credentials, query and fragment.
func Public(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// below is the address of a part below a root.
func below(root string, parts ...string) (string, error) {
	u, err := url.Parse(root)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("the address %s cannot be read; want https://HOST/PATH", Public(root))
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	for _, p := range parts {
		path += "/" + url.PathEscape(p)
	}
	u.RawPath = path
	if u.Path, err = url.PathUnescape(path); err != nil {
		return "", err
	}
	return u.String(), nil
}
