// Package static holds the files that a browser loads beside the pages: the
// built style sheet, htmx, idiomorph, the pages' own scripts and the icon. They are embedded
// and served under names that contain a hash of their content, so that a browser
// may keep them for ever and never mixes two releases.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync"
)

//go:embed app.css app.js htmx.min.js icon.svg idiomorph.min.js live.js menus.js palette.js passkeys.js select.js licenses/*.txt
var files embed.FS

// Prefix is the path under which [Handler] expects to be mounted.
const Prefix = "/static/"

// names are the served files. A licence is served under its plain name only.
var names = []string{
	"app.css",
	"app.js",
	"htmx.min.js",
	"icon.svg",
	"idiomorph.min.js",
	"licenses/htmx.txt",
	"licenses/idiomorph.txt",
	"licenses/lucide.txt",
	"licenses/tailwindcss.txt",
	"live.js",
	"menus.js",
	"palette.js",
	"passkeys.js",
	"select.js",
}

// asset is one embedded file, ready to be served.
type asset struct {
	name    string
	hashed  string
	kind    string
	content []byte
	gzipped func() []byte // packed at the first request
}

// load reads the files when the first is asked for: the command line has no use of
// them.
var load = sync.OnceValues(func() (assets, byHash map[string]*asset) {
	plain, hashed := map[string]*asset{}, map[string]*asset{}
	for _, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			panic(fmt.Sprintf("static: %s is listed but not embedded: %v", name, err))
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(name)
		a := &asset{
			name:    name,
			hashed:  strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
			kind:    contentType(ext),
			content: content,
			gzipped: sync.OnceValue(func() []byte { return pack(content) }),
		}
		plain[name], hashed[a.hashed] = a, a
	}
	return plain, hashed
})

// contentType does not ask the machine's own table, which differs from host to
// host and may call a script text/plain.
func contentType(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(ext)
	}
}

func pack(content []byte) []byte {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(content); err != nil {
		return nil
	}
	if err := w.Close(); err != nil || packed.Len() >= len(content) {
		return nil
	}
	return packed.Bytes()
}

// URL is the address of a file, with the hash of its content. It panics on a
// name that is not embedded: that is a mistake in a page, not in a request.
func URL(name string) string {
	assets, _ := load()
	a, ok := assets[name]
	if !ok {
		panic("static: no file " + name)
	}
	return Prefix + a.hashed
}

// Names are the served files without their hashes, sorted.
func Names() []string {
	sorted := append([]string(nil), names...)
	sort.Strings(sorted)
	return sorted
}

// File is the content of a file by its plain name.
func File(name string) ([]byte, bool) {
	assets, _ := load()
	a, ok := assets[name]
	if !ok {
		return nil, false
	}
	return bytes.Clone(a.content), true
}

// Handler serves the files below [Prefix]. A hashed name may be kept for a year
// (RFC 9111, and immutable of RFC 8246); a plain name is asked for again each
// time, and answered with 304 as long as it did not change.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, Prefix)
		header := w.Header()
		assets, byHash := load()
		a, immutable := byHash[name]
		if immutable {
			header.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else if a = assets[name]; a != nil {
			header.Set("Cache-Control", "no-cache")
		} else {
			http.NotFound(w, r)
			return
		}
		serve(w, r, a)
	})
}

func serve(w http.ResponseWriter, r *http.Request, a *asset) {
	header := w.Header()
	header.Set("Content-Type", a.kind)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Vary", "Accept-Encoding")

	// The two representations have two entity tags (RFC 9110, 8.8.3.3).
	content, tag := a.content, a.hashed
	if packed := a.gzipped(); packed != nil && AcceptsGzip(r) {
		content, tag = packed, a.hashed+".gz"
		header.Set("Content-Encoding", "gzip")
	}
	tag = `"` + tag + `"`
	header.Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		header.Del("Content-Type")
		header.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(content) // the reader has gone; there is nobody to tell
	}
}

func matches(condition, tag string) bool {
	for _, candidate := range strings.Split(condition, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == tag || candidate == "*" {
			return true
		}
	}
	return false
}

// AcceptsGzip reads Accept-Encoding as far as it matters here: gzip is named,
// and not with a weight of zero (RFC 9110, 12.5.3).
func AcceptsGzip(r *http.Request) bool {
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, parameter, _ := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		weight, weighted := strings.CutPrefix(strings.TrimSpace(parameter), "q=")
		if !weighted {
			return true
		}
		q, err := strconv.ParseFloat(weight, 64)
		return err == nil && q > 0
	}
	return false
}
