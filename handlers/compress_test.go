package handlers

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// A page is compressed where no other site can have asked for it, and is the same
// page then.
func TestPagesAreCompressedForOurOwnPages(t *testing.T) {
	w := newWorld(t)
	get := func(header ...string) (encoding string, body []byte) {
		t.Helper()
		r := request("GET", "/settings/secrets?q=openai", "", header...)
		w.present(r, w.actors["owner"])
		res := w.do(r)
		body = res.Body.Bytes()
		if encoding = res.Header().Get("Content-Encoding"); encoding == "gzip" {
			unpacked, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(unpacked); err != nil {
				t.Fatal(err)
			}
		}
		return encoding, body
	}
	_, plain := get()
	for site, want := range map[string]string{"same-origin": "gzip", "none": "gzip", "same-site": "", "cross-site": "", "": ""} {
		encoding, body := get("Sec-Fetch-Site", site, "Accept-Encoding", "gzip, br")
		if encoding != want || !bytes.Equal(body, plain) {
			t.Errorf("asked by %q: encoding %q, the same page: %t", site, encoding, bytes.Equal(body, plain))
		}
	}
	if encoding, _ := get("Accept-Encoding", "br"); encoding != "" {
		t.Errorf("who does not take gzip got %q", encoding)
	}
}
