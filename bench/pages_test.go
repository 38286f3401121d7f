package bench

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// mostBytes is what a first visit to a page may load in all, as it is sent.
const mostBytes = 100_000

// Each page of the settings weighs less than 100 kB at the first visit, with all
// files that it loads, also where the list of secrets is full.
func TestPagesAreLight(t *testing.T) {
	for path, bytes := range weights(t) {
		t.Logf("%-24s %6d bytes", path, bytes)
		if bytes > mostBytes {
			t.Errorf("a first visit to %s loads %d bytes", path, bytes)
		}
	}
}

// BenchmarkPages prints what a first visit to each page loads.
func BenchmarkPages(b *testing.B) {
	for b.Loop() {
		for path, bytes := range weights(b) {
			b.ReportMetric(float64(bytes)/1000, strings.ReplaceAll(strings.TrimPrefix(path, "/settings/"), "/", "-")+"-kB")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// weights are the bytes of a first visit to each page that the navigation leads
// to, and to one secret's.
func weights(tb testing.TB) map[string]int {
	tb.Helper()
	path, err := infsh()
	if err != nil {
		tb.Fatal(err)
	}
	data := filepath.Join(tb.TempDir(), "data")
	server := startInfsh(tb, "--data-dir", data)
	create := exec.Command(path, "admin", "create-user", "--data-dir", data, "--email", "ada@example.com", "--team", "acme", "--json")
	out, err := create.Output()
	if err != nil {
		tb.Fatalf("create a user: %v", err)
	}
	var ada struct {
		Password string `json:"password"`
		APIKey   string `json:"api_key"`
	}
	if err := json.Unmarshal(out, &ada); err != nil {
		tb.Fatal(err)
	}
	v := visitor{tb, "http://" + server.addr, newJar(tb)}
	var items []map[string]any
	for i := range 200 {
		items = append(items, map[string]any{"key": fmt.Sprintf("SERVICE_%03d_API_KEY", i), "value": value(0, i), "description": fmt.Sprintf("For the calls of service %d", i)})
	}
	body, err := json.Marshal(map[string]any{"items": items})
	if err != nil {
		tb.Fatal(err)
	}
	v.send("POST", "/api/secrets/import", bytes.NewReader(body), "Authorization", "Bearer "+ada.APIKey, "Content-Type", "application/json")
	form := url.Values{"email": {"ada@example.com"}, "password": {ada.Password}}
	v.send("POST", "/login", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Origin", v.url)

	_, home := v.page("/settings/secrets")
	weights := map[string]int{"/settings/secrets/SERVICE_000_API_KEY": 0}
	home.Find("nav[aria-label='Settings'] a").Each(func(_ int, a *goquery.Selection) { weights[a.AttrOr("href", "")] = 0 })
	if len(weights) < 8 {
		tb.Fatalf("the navigation leads to %d pages", len(weights))
	}
	for at := range weights {
		size, page := v.page(at)
		page.Find("script[src], link[rel=stylesheet], link[rel=icon], img[src]").Each(func(_ int, file *goquery.Selection) {
			sent, _ := v.get(file.AttrOr("src", file.AttrOr("href", "")))
			size += len(sent)
		})
		weights[at] = size
	}
	return weights
}

// visitor is a browser as far as it counts bytes.
type visitor struct {
	testing.TB
	url string
	jar http.CookieJar
}

func newJar(tb testing.TB) http.CookieJar {
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return jar
}

// page returns how many bytes a page is on its way, and what is in it.
func (v visitor) page(path string) (size int, page *goquery.Document) {
	v.Helper()
	sent, plain := v.get(path)
	page, err := goquery.NewDocumentFromReader(bytes.NewReader(plain))
	if err != nil {
		v.Fatal(err)
	}
	return len(sent), page
}

// get returns an answer's body as it is sent, and unpacked.
func (v visitor) get(path string) (sent, plain []byte) {
	v.Helper()
	return v.send("GET", path, nil, "Sec-Fetch-Site", "same-origin", "Accept-Encoding", "gzip")
}

func (v visitor) send(method, path string, body io.Reader, header ...string) (sent, plain []byte) {
	v.Helper()
	r, err := http.NewRequest(method, v.url+path, body)
	if err != nil {
		v.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	// Whoever asks for gzip by name gets it as it is.
	client := http.Client{Jar: v.jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer res.Body.Close()
	if sent, err = io.ReadAll(res.Body); err != nil {
		v.Fatal(err)
	}
	if res.StatusCode >= 400 || method == "GET" && res.StatusCode != http.StatusOK {
		v.Fatalf("%s %s answered %d: %.300s", method, path, res.StatusCode, sent)
	}
	if res.Header.Get("Content-Encoding") != "gzip" {
		return sent, sent
	}
	return sent, unpack(v.TB, sent)
}

func unpack(tb testing.TB, packed []byte) []byte {
	tb.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return plain
}
