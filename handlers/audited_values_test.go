package handlers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Whatever JSON type a value has, wherever it stands, and whether it is taken or
// refused: no entry of the audit log holds it (U4).
func TestNoEntryHoldsAValue(t *testing.T) {
	w := newWorld(t)
	const text, number = "u4-canary-b81f", "7719283746551"
	values := map[string]string{
		"string": `"` + text + `"`, "escaped string": `"u4-\u0063anary-b81f"`, "number": number, "float": number + ".5e1", "list": `["` + text + `",` + number + `]`,
		"object": `{"` + text + `":{"value":"` + text + `"}}`, "bytes": `"dTQtY2FuYXJ5LWI4MWY="`, "bool": `true,"` + text + `":` + number, "null": `null,"` + text + `":1`,
	}
	bodies := map[string]string{
		"POST /api/secrets":                   `{"key":"FAL_KEY","value":%s}`,
		"PUT /api/secrets/OPENAI_API_KEY":     `{"value":%s}`,
		"POST /api/secrets/import":            `{"items":[{"key":"FAL_KEY","value":%s}]}`,
		"POST /api/secrets/list":              `{"search":{"term":%s}}`,
		"POST /api/apikeys":                   `{"name":"ci","scopes":[%s]}`,
		"POST /internal/v1/resolve":           `{"app":"acme/summarizer","version":%s}`,
		"POST /api/device/token":              `{"device_code":%s}`,
		"DELETE /api/secrets/OPENAI_API_KEY":  `%s`,
		"POST /api/secrets/rollback/HF_TOKEN": `{"version":%s}`,
	}
	sent := 0
	for call, body := range bodies {
		method, path, _ := strings.Cut(call, " ")
		for name, value := range values {
			r := request(method, path, fmt.Sprintf(body, value), "X-Vault-Token", text, "X-Secret", number, "User-Agent", text, "Referer", origin+"/"+text)
			w.present(r, w.actors["owner"])
			got := w.do(r)
			sent++
			var rows []map[string]any
			rs, err := w.state.QueryxContext(t.Context(), "SELECT * FROM main.audit_entries")
			if err != nil {
				t.Fatal(err)
			}
			for rs.Next() {
				row := map[string]any{}
				if err := rs.MapScan(row); err != nil {
					t.Fatal(err)
				}
				rows = append(rows, row)
			}
			if err := rs.Close(); err != nil {
				t.Fatal(err)
			}
			all, err := json.Marshal(rows)
			if err != nil {
				t.Fatal(err)
			}
			for _, canary := range []string{text, number, "dTQtY2FuYXJ5LWI4MWY", "CANARY"} {
				if strings.Contains(string(all), canary) {
					t.Errorf("%s with a %s (%d): an entry holds it", call, name, got.Code)
				}
			}
			if w.committed() {
				w.restore()
			}
		}
	}
	if sent < 80 {
		t.Errorf("only %d requests were sent", sent)
	}
}
