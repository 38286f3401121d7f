package handlers

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// upload posts a .env file as the import's page does.
func (w *world) upload(file string, fields ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := m.WriteField(fields[i], fields[i+1]); err != nil {
			w.t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("file", ".env")
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err != nil || m.Close() != nil {
		w.t.Fatal(err)
	}
	r := request("POST", "/settings/import", body.String(), "Content-Type", m.FormDataContentType())
	w.present(r, credentials{cookie: w.actors["owner"].cookie})
	return w.do(r)
}

// What a file would do is shown by lines and without values, and is kept nowhere,
// on no disk and in no page (V10).
func TestImportIsPreviewed(t *testing.T) {
	tmp := t.TempDir()
	w := newWorld(t)
	t.Setenv("TMPDIR", tmp)
	file := "NEW_KEY=new-CANARY-value\nOPENAI_API_KEY=other-CANARY-value\nCANARYnonsense\nHF_TOKEN=hf-CANARY-0123456789abcdef\nPATH=/CANARY\n"
	w.committed()
	got := w.upload(file)
	if got.Code != http.StatusOK {
		t.Fatalf("the preview answered %d: %.300s", got.Code, got.Body)
	}
	page := strings.Join(strings.Fields(got.Body.String()), " ")
	for _, want := range []string{`data-status="new"`, `data-status="exists"`, `data-status="unchanged"`, "1 new, 1 set to another value, 1 equal, 2 refused"} {
		if !strings.Contains(page, want) {
			t.Errorf("the preview does not say %s", want)
		}
	}
	if strings.Contains(page, "CANARY") {
		t.Error("the preview has a part of the file")
	}
	if tables := w.changed(""); len(tables) > 0 {
		t.Errorf("a preview has changed %s", tables)
	}
	if got := w.upload(file, "act", "import", "overwrite", "true"); got.Code != http.StatusUnprocessableEntity || strings.Contains(got.Body.String(), "CANARY") {
		t.Errorf("an import with refused lines answered %d", got.Code)
	}
	if tables := w.changed(""); len(tables) > 0 {
		t.Errorf("an import with refused lines has changed %s", tables)
	}
	if got := w.upload(file, "value", "A=b"); got.Code != http.StatusUnprocessableEntity {
		t.Errorf("a file and a text answered %d", got.Code)
	}

	large := "LARGE_KEY=x # " + strings.Repeat("x", maxImportBody-1000) + "\n"
	if got := w.upload(large); got.Code != http.StatusOK {
		t.Errorf("a large file answered %d: %.300s", got.Code, got.Body)
	}
	if got := w.upload(large + large); got.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a file that is too large answered %d", got.Code)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("on the disk is %v: %v", left, err)
	}
	for name, body := range map[string]string{"cut off": "--x\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\nCANARY"} {
		r := request("POST", "/settings/import", body, "Content-Type", "multipart/form-data; boundary=x")
		w.present(r, credentials{cookie: w.actors["owner"].cookie})
		if got := w.do(r); got.Code != http.StatusBadRequest || strings.Contains(got.Body.String(), "CANARY") {
			t.Errorf("%s answered %d: %.300s", name, got.Code, got.Body)
		}
	}
}
