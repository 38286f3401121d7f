package handlers

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"sync"

	"infsh/static"
)

// compressFrom is the size in bytes from which on a page is worth it.
const compressFrom = 1400

// compresses reports whether the answer with a page may be compressed. If another
// site could make the browser ask, with text of its choice that the page repeats,
// the size of the answers would tell it what else the page holds (BREACH). So only
// what this server's pages asked for is compressed, and what a person asked for
// without any page.
func compresses(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return (site == "same-origin" || site == "none") && static.AcceptsGzip(r)
}

var packers = sync.Pool{New: func() any {
	// It can't fail at a level that exists.
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}}

// writePage sends a page that is there in whole.
func writePage(w http.ResponseWriter, r *http.Request, status int, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if len(page) >= compressFrom && compresses(r) {
		var packed bytes.Buffer
		packer := packers.Get().(*gzip.Writer)
		defer packers.Put(packer)
		packer.Reset(&packed)
		_, _ = packer.Write(page) // to memory
		_ = packer.Close()
		page = packed.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	_, _ = w.Write(page) // a client that is gone is told nothing
}
