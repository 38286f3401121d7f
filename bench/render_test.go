package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"infsh/db/dbtest"
)

const (
	// manySecrets is how many the team has whose page is rendered.
	manySecrets   = 10_000
	mostPerImport = 500
)

// renders are the pages of the list of secrets.
var renders = []struct{ name, path string }{
	{"list", "/settings/secrets"},
	{"search", "/settings/secrets?q=service+77"},
	{"sorted", "/settings/secrets?sort=-updated_at"},
	{"secret", "/settings/secrets/SERVICE_00077_API_KEY"},
}

// BenchmarkFirstRender measures how long the server takes for the pages of a team
// with 10,000 secrets, from the request to the last byte, uncompressed. The
// project promises less than 100 ms.
func BenchmarkFirstRender(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			v := teamOfMany(b, kind)
			took := make([]series, len(renders))
			for b.Loop() {
				for i, page := range renders {
					began := time.Now()
					v.send("GET", page.path, nil, "Accept-Encoding", "identity")
					took[i].add(float64(time.Since(began)) / float64(time.Millisecond))
				}
			}
			for i, page := range renders {
				b.ReportMetric(took[i].median(), page.name+"-ms")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// teamOfMany is signed in to a team that has so many secrets.
func teamOfMany(tb testing.TB, kind string) visitor {
	tb.Helper()
	v, apiKey := signedInWithKey(tb, kind)
	for first := 0; first < manySecrets; first += mostPerImport {
		var items []map[string]any
		for i := first; i < first+mostPerImport; i++ {
			items = append(items, map[string]any{"key": fmt.Sprintf("SERVICE_%05d_API_KEY", i), "value": value(0, i), "description": fmt.Sprintf("For the calls of service %d", i)})
		}
		body, err := json.Marshal(map[string]any{"items": items})
		if err != nil {
			tb.Fatal(err)
		}
		v.send("POST", "/api/secrets/import", bytes.NewReader(body), "Authorization", "Bearer "+apiKey, "Content-Type", "application/json")
	}
	return v
}

// signedInWithKey is signed in to a new store as the owner of its only team, whose
// API key it returns.
func signedInWithKey(tb testing.TB, kind string) (v visitor, apiKey string) {
	tb.Helper()
	path, err := infsh()
	if err != nil {
		tb.Fatal(err)
	}
	store := []string{"--data-dir", filepath.Join(tb.TempDir(), "data")}
	if kind == "postgres" {
		source, _ := dbtest.DurablePostgresURL(tb)
		store = append(store, "--database-url", source)
	}
	server := startInfsh(tb, append(store, "--log-level", "error")...)
	out, err := exec.Command(path, append([]string{"admin", "create-user", "--email", "ada@example.com", "--team", "acme", "--json"}, store...)...).Output()
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
	v = visitor{tb, "http://" + server.addr, newJar(tb)}
	form := url.Values{"email": {"ada@example.com"}, "password": {ada.Password}}
	v.send("POST", "/login", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Origin", v.url)
	return v, ada.APIKey
}
