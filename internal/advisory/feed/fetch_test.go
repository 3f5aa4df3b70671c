package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Passing faults are survived.
func TestFetchTriesAgain(t *testing.T) {
	tries := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch tries++; tries {
		case 1:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.Header().Set("Content-Length", "5")
			fmt.Fprint(w, "he")
		default:
			fmt.Fprint(w, "hello")
		}
	}))
	defer s.Close()
	var b bytes.Buffer
	c := newClient(Transport{Pause: time.Millisecond})
	_, _, err := c.get(t.Context(), s.URL, validators{}, 10, &b, func() error { b.Reset(); return nil })
	if err != nil || b.String() != "hello" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestFetchStalls(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "he")
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(release)
	c := newClient(Transport{Pause: time.Millisecond, Stall: 30 * time.Millisecond})
	_, _, err := c.get(t.Context(), s.URL, validators{}, 10, io.Discard, func() error { return nil })
	if !errors.Is(err, errStalled) {
		t.Errorf("%v", err)
	}
}

// From https nothing leads back to http.
func TestRedirects(t *testing.T) {
	request := func(address string) *http.Request {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"https://a.example/x", "https://b.example/y", true},
		{"https://a.example/x", "http://a.example/x", false},
		{"http://a.example/x", "http://a.example/y", true},
		{"http://a.example/x", "http://b.example/x", false},
		{"http://a.example/x", "https://b.example/x", true},
		{"http://a.example/x", "ftp://a.example/x", false},
	} {
		if err := checkRedirect(request(c.to), []*http.Request{request(c.from)}); (err == nil) != c.ok {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
}

func TestPublic(t *testing.T) {
	got := Public("https://user:secret@mirror.example/osv?token=x#y")
	if got != "https://mirror.example/osv" {
		t.Errorf("%q", got)
	}
	address, err := below("https://user:secret@mirror.example/osv/", "GitHub Actions", "A:1?#.json")
	if err != nil || address != "https://user:secret@mirror.example/osv/GitHub%20Actions/A:1%3F%23.json" {
		t.Errorf("%q, %v", address, err)
	}
}
