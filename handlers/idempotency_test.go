package handlers

import (
	"net/http"
	"strings"
	"testing"

	"infsh/auth"
)

// Each creating call of the API has one effect for one Idempotency-Key, and
// the same answer each time; the same key with another body is 422.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	for _, rt := range (&server{}).routes() {
		if !rt.creates {
			continue
		}
		row := matrixRow{method: rt.method, pattern: rt.path}
		first := w.try(row, "full", auth.IdempotencyHeader, "the-key")
		if first.Code >= 300 {
			t.Errorf("%s: %d %s", row.route(), first.Code, first.Body)
			continue
		}
		entries := w.entries()
		again := w.try(row, "full", auth.IdempotencyHeader, "the-key")
		if again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" || first.Header().Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: first %d, then %d %s", row.route(), first.Code, again.Code, again.Body)
		}
		if n := w.entries(); n != entries {
			t.Errorf("%s: the second call had an effect", row.route())
		}
		r := request(rt.method, w.ids.Replace(pathOf(row)), `{"name":"something else"}`, auth.IdempotencyHeader, "the-key")
		w.present(r, w.actors["full"])
		if got := w.do(r); got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), "idempotency_key_reused") {
			t.Errorf("%s with another body: %d %s", row.route(), got.Code, got.Body)
		}
		if got := w.try(row, "full", auth.IdempotencyHeader, "not a key"); got.Code != http.StatusBadRequest {
			t.Errorf("%s with a bad key: %d", row.route(), got.Code)
		}
		w.restore()
	}
}

func pathOf(row matrixRow) string {
	if path := calls[row.route()].path; path != "" {
		return path
	}
	return row.pattern
}

// entries counts the audit log.
func (w *world) entries() (n int) {
	w.t.Helper()
	if err := w.state.GetContext(w.t.Context(), &n, "SELECT count(*) FROM main.audit_entries"); err != nil {
		w.t.Fatal(err)
	}
	return n
}
