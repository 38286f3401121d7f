package static_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"infsh/static"
)

func get(t *testing.T, path string, header map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) []byte {
	t.Helper()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// A hashed address names its content, so a browser need never ask again.
func TestHashedFilesAreKept(t *testing.T) {
	for _, name := range static.Names() {
		t.Run(name, func(t *testing.T) {
			res := get(t, static.URL(name), nil)
			want, _ := static.File(name)
			if res.StatusCode != http.StatusOK || !bytes.Equal(body(t, res), want) {
				t.Fatalf("status %d, or other content", res.StatusCode)
			}
			if got := res.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
				t.Errorf("Cache-Control %q", got)
			}
			if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options %q", got)
			}
		})
	}
}

// A plain address is for people and licences; it is asked for again each time.
func TestPlainFilesAreRevalidated(t *testing.T) {
	res := get(t, "/static/app.css", nil)
	tag := res.Header.Get("ETag")
	if res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-cache" || tag == "" {
		t.Fatalf("status %d, headers %v", res.StatusCode, res.Header)
	}
	for condition, want := range map[string]int{
		tag:                    http.StatusNotModified,
		`"other", W/` + tag:    http.StatusNotModified,
		"*":                    http.StatusNotModified,
		`"other"`:              http.StatusOK,
		strings.Trim(tag, `"`): http.StatusOK,
	} {
		if got := get(t, "/static/app.css", map[string]string{"If-None-Match": condition}).StatusCode; got != want {
			t.Errorf("If-None-Match %s: %d, want %d", condition, got, want)
		}
	}
}

func TestTypes(t *testing.T) {
	for name, want := range map[string]string{
		"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "htmx.min.js": "text/javascript; charset=utf-8",
		"icon.svg": "image/svg+xml", "licenses/htmx.txt": "text/plain; charset=utf-8",
	} {
		if got := get(t, static.URL(name), nil).Header.Get("Content-Type"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestCompression(t *testing.T) {
	plain, _ := static.File("app.css")
	for accept, packed := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "gzip; q=1": true, "": false, "br": false, "gzip;q=0": false, "gzip;q=0.000": false, "gzip;q=x": false,
	} {
		res := get(t, static.URL("app.css"), map[string]string{"Accept-Encoding": accept})
		content := body(t, res)
		if got := res.Header.Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("Accept-Encoding %q: packed %v, want %v", accept, got, packed)
			continue
		}
		if res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: Vary %q", accept, res.Header.Get("Vary"))
		}
		if packed {
			r, err := gzip.NewReader(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			if content, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(content, plain) {
			t.Errorf("Accept-Encoding %q: other content", accept)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{
		"/static/", "/static/src/app.css", "/static/static.go", "/static/../go.mod", "/static/%2e%2e/go.mod",
		"/static/licenses/", "/static/app.000000000000.css", "/static//app.css", "/static/app.css/",
	} {
		if got := get(t, path, nil).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: %d", path, got)
		}
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/static/app.css", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// All that a first visit loads beside the page stays well below 100 kB.
func TestWeight(t *testing.T) {
	total := 0
	for name, limit := range map[string]int{"app.css": 12_000, "app.js": 4_000, "live.js": 3_000, "menus.js": 1_500, "palette.js": 1_500, "select.js": 1_500, "htmx.min.js": 18_000, "idiomorph.min.js": 4_500, "icon.svg": 1_000} {
		size := len(body(t, get(t, static.URL(name), map[string]string{"Accept-Encoding": "gzip"})))
		if size > limit {
			t.Errorf("%s weighs %d bytes, more than %d", name, size, limit)
		}
		total += size
	}
	t.Logf("%d bytes in all", total)
}

// idiomorph is the SHA-256 of version 0.8.0's file, which does not name its
// version.
const idiomorph = "4cbd535caf7663a51eda9bce6595371c384fc430d54b8d414e29a61167f19f96"

// The built files are what the sources and the pinned versions give, and they
// fetch nothing from elsewhere.
func TestBuiltFiles(t *testing.T) {
	css, _ := static.File("app.css")
	if n := bytes.Count(css, []byte("url(")) - bytes.Count(css, []byte("url(#")); n != 0 {
		t.Errorf("the style sheet loads %d files", n)
	}
	if !bytes.HasPrefix(css, []byte("/*! tailwindcss v4.3.5 ")) {
		t.Error("the style sheet was built by another version of Tailwind")
	}
	htmx, _ := static.File("htmx.min.js")
	if !regexp.MustCompile(`version:"2\.0\.11"`).Match(htmx) {
		t.Error("htmx is another version")
	}
	morph, _ := static.File("idiomorph.min.js")
	if sum := fmt.Sprintf("%x", sha256.Sum256(morph)); sum != idiomorph {
		t.Errorf("idiomorph is not version 0.8.0: its SHA-256 is %s", sum)
	}
	for _, name := range []string{"app.js", "live.js", "menus.js", "palette.js", "passkeys.js", "select.js"} {
		script, _ := static.File(name)
		for _, forbidden := range []string{"innerHTML", "eval(", "localStorage", "sessionStorage", ".style", "new Function"} {
			if bytes.Contains(script, []byte(forbidden)) {
				t.Errorf("%s uses %s", name, forbidden)
			}
		}
		if lines := bytes.Count(script, []byte("\n")); lines >= 200 {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
}
