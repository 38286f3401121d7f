package e2e

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// wire stands between a browser and the server, and reads along: whatever the
// server sends, and every address that is asked for.
type wire struct {
	*server
	// URL is where the browser finds the server.
	URL string

	mu      sync.Mutex
	secrets []string
	seen    []exchange
}

type exchange struct {
	method, url, referer, target string
	status                       int
	header                       http.Header
	body                         string
	ended                        bool // of a stream
}

// wireTo puts a wire before the server. When the test ends, it looks for what
// the server should not have sent.
func wireTo(t *testing.T, s *server) *wire {
	t.Helper()
	return wireOn(t, s, listenLocally(t))
}

func listenLocally(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// wireOn does so on a listener, for a server that was told its address before.
func wireOn(t *testing.T, s *server, ln net.Listener) *wire {
	t.Helper()
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{server: s}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding") // so that answers can be read
		},
		ModifyResponse: w.record,
	}
	front := &httptest.Server{Listener: ln, Config: &http.Server{Handler: proxy}}
	front.Start()
	t.Cleanup(front.Close)
	w.URL = front.URL
	t.Cleanup(func() { w.check(t) })
	return w
}

func (w *wire) record(res *http.Response) error {
	e := exchange{
		method: res.Request.Method, url: res.Request.URL.RequestURI(), referer: res.Request.Referer(), target: res.Request.Header.Get("HX-Target"),
		status: res.StatusCode, header: res.Header,
	}
	if res.Header.Get("Content-Type") == "text/event-stream" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen = append(w.seen, e)
		res.Body = &overheard{res.Body, w, len(w.seen) - 1}
		return nil
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	e.body = string(body)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, e)
	return nil
}

// overheard is a stream, which is read along while it goes on.
type overheard struct {
	io.ReadCloser
	wire *wire
	at   int
}

func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	o.wire.mu.Lock()
	defer o.wire.mu.Unlock()
	o.wire.seen[o.at].body += string(p[:n])
	o.wire.seen[o.at].ended = err != nil
	return n, err
}

// plant marks a text as a secret value: the server must never send it back, and
// neither an address nor the browser's storage may have it (cases W4 and W7).
func (w *wire) plant(value string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets = append(w.secrets, value)
	return value
}

// planted are the values so far, also as an address would have them.
func (w *wire) planted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, s := range w.secrets {
		all = append(all, s)
		if escaped := url.QueryEscape(s); escaped != s {
			all = append(all, escaped)
		}
	}
	return all
}

// last is the latest answer to a request, such as "POST /settings/secrets".
func (w *wire) last(request string) exchange {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.seen) - 1; i >= 0; i-- {
		if e := w.seen[i]; e.method+" "+e.url == request {
			return e
		}
	}
	w.t.Fatalf("there was no request %s", request)
	return exchange{}
}

// check looks through everything that was sent.
func (w *wire) check(t *testing.T) {
	secrets := w.planted()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.seen {
		name := e.method + " " + e.url
		for _, secret := range secrets {
			if strings.Contains(e.body, secret) || strings.Contains(e.url, secret) || strings.Contains(e.referer, secret) {
				t.Errorf("a secret value is in an answer or address: %s", name)
			}
			for key, values := range e.header {
				if strings.Contains(strings.Join(values, "\n"), secret) {
					t.Errorf("a secret value is in the header %s of %s", key, name)
				}
			}
		}
		if e.status >= 500 {
			t.Errorf("%s answered %d: %.300s", name, e.status, e.body)
		}
		if strings.HasPrefix(e.url, "/static/") && e.status >= 400 {
			t.Errorf("%s answered %d", name, e.status)
		}
		if got := e.header.Get("Content-Security-Policy"); got == "" || strings.Contains(got, "unsafe") {
			t.Errorf("%s has the policy %q", name, got)
		}
	}
}

// keepsNothing looks at what the page's storage and the tab's history have
// kept, and fails the test if a secret is among it (case W4).
func (p *tab) keepsNothing() {
	p.Helper()
	kept, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](
		`try { JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie]) } catch { "" }`))
	if err != nil {
		p.Errorf("read the storage: %v", err)
	}
	entries, err := chromedp.Run(p.ctx, chromedp.NavigationEntries())
	if err != nil {
		p.Errorf("read the history: %v", err)
	}
	for _, e := range entries.Entries {
		kept += "\n" + e.URL + " " + e.Title
	}
	for _, secret := range p.planted() {
		if strings.Contains(kept, secret) {
			p.Errorf("a secret value is in the browser's storage or history")
		}
	}
	if strings.Contains(kept, "htmx-history") {
		p.Errorf("htmx keeps pages in the browser's storage: %.300s", kept)
	}
}
