package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// manyKeys gives the team n secrets named KEY_000 and on, in as few requests as
// there may be.
func manyKeys(s *server, u user, n int) {
	s.t.Helper()
	for from := 0; from < n; from += 500 {
		var items []map[string]any
		for i := from; i < min(from+500, n); i++ {
			items = append(items, map[string]any{"key": fmt.Sprintf("KEY_%03d", i), "value": fmt.Sprintf("value-of-many-%d", i)})
		}
		if a := s.call(u.APIKey, "POST", "/api/secrets/import", map[string]any{"items": items}); a.StatusCode != http.StatusCreated && a.StatusCode != http.StatusOK {
			s.t.Fatalf("the import answered %d: %.300s", a.StatusCode, a.Body)
		}
	}
}

// longList turns the pages of a long list and sorts it. What is seen stands in
// the address, so that a reload, Back and an edit keep it.
func longList(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	manyKeys(s, owner, 120)
	s.call(owner.APIKey, "PUT", "/api/secrets/KEY_077", map[string]any{"value": "another-value-of-many", "description": "The last one"})

	p := open(t, browser, s)
	p.do("make the table fit", chromedp.EmulateViewport(1280, 800))
	p.signIn(owner)
	p.mark()
	p.see(testid("secrets-count"), "1 to 50 of 120 secrets")
	p.gone(row("KEY_050"))
	p.click("#page-next")
	p.see(testid("secrets-count"), "51 to 100 of 120 secrets")
	p.see(row("KEY_050"), "v1")
	p.gone(row("KEY_049"))
	p.hears("51 to 100 of 120 secrets")
	p.click("#page-next")
	p.see(testid("secrets-count"), "101 to 120 of 120 secrets")
	p.gone("#page-next")
	p.click("#page-previous")
	p.see(testid("secrets-count"), "51 to 100 of 120 secrets")

	// An edit leaves the list where it is.
	p.click("#edit-KEY_060")
	p.fill("#edit-description", "In the middle")
	p.click(testid("edit-dialog") + " " + testid("save"))
	p.see(row("KEY_060"), "In the middle")
	p.see(testid("secrets-count"), "51 to 100 of 120 secrets")

	p.click("#sort-updated_at")
	p.see(testid("secret-row")+":first-child", "KEY_060")
	p.focused("#sort-updated_at")
	p.at("/settings/secrets?sort=-updated_at")
	p.until("the order is said", `document.querySelector("th:has(#sort-updated_at)").getAttribute("aria-sort") === "descending"`)
	p.fill("#search", "07")
	p.see(testid("secrets-count"), "12 secrets found")
	p.see(testid("secret-row")+":first-child", "KEY_077")
	p.at("/settings/secrets?q=07&sort=-updated_at")
	// A dialog that is closed leaves the address as it is.
	p.click("#edit-KEY_077")
	p.click("#edit-dialog .dialog-foot [data-close]")
	p.gone("#edit-dialog")
	p.at("/settings/secrets?q=07&sort=-updated_at")
	p.click("#sort-key")
	p.see(testid("secret-row")+":first-child", "KEY_007")
	p.sameDocument()
	p.back()
	p.at("/settings/secrets?q=07&sort=-updated_at")
	p.see(testid("secret-row")+":first-child", "KEY_077")
	p.load("reload", chromedp.Reload())
	p.see(testid("secret-row")+":first-child", "KEY_077")
	p.until("the search is kept", `document.querySelector("#search").value === "07"`)

	// A cursor that leads nowhere is the first page.
	if p.visit("/settings/secrets?from=made-up") != http.StatusOK {
		t.Error("a made-up cursor is an error")
	}
	p.see(testid("secrets-count"), "1 to 50 of 120 secrets")

	plain := open(t, browser, s, noScript)
	plain.do("make the table fit", chromedp.EmulateViewport(1280, 800))
	plain.signIn(owner)
	plain.follow("#page-next")
	plain.see(testid("secrets-count"), "51 to 100 of 120 secrets")
	plain.follow("#sort-updated_at")
	plain.see(testid("secret-row")+":first-child", "KEY_060")
	plain.fill("#search", "07")
	plain.follow("form.search button")
	plain.see(testid("secret-row")+":first-child", "KEY_077")
	plain.at("/settings/secrets?q=07&sort=-updated_at")
}

// deletingMany selects rows and deletes them together, after they were named.
func deletingMany(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	manyKeys(s, owner, 60)
	s.deployApp(owner, "summarise", "Summaries", requirement{"KEY_002", "Needed", false})

	p := open(t, browser, s)
	p.do("make the table fit", chromedp.EmulateViewport(1280, 800))
	p.signIn(owner)
	p.mark()
	if ask[bool](p, `document.querySelector("#selection").checkVisibility()`) {
		t.Error("the bar is seen before anything is selected")
	}
	p.click("#select-KEY_001")
	p.hears("1 of 50 selected")
	p.focused("#select-KEY_001")
	p.press(" ")
	p.hears("None selected")
	p.click("#select-all")
	p.hears("50 of 50 selected")
	p.click("#selection [type=reset]")
	p.until("nothing is ticked", `!document.querySelector(".cell-select :checked")`)
	p.click("#select-KEY_001")
	at := ask[[]float64](p, `(box => [box.x + box.width / 2, box.y + box.height / 2])(document.querySelector("#select-KEY_003").getBoundingClientRect())`)
	p.do("select on with Shift", chromedp.MouseClickXY(at[0], at[1], chromedp.ButtonModifiers(chromedp.ModifierShift)))
	p.see("#selected", "3 selected")

	p.click("#delete-selected")
	p.see("#delete-many-dialog-title", "Delete 3 secrets?")
	p.see("#delete-many-dialog", "1 of them is required by an app, whose next run fails.")
	p.see("#delete-many-dialog li", "acme/summarise")
	p.see("#delete-many-dialog li", "v1 is current and has never run")
	p.click("#delete-many-dialog .dialog-foot [data-close]")
	p.gone("#delete-many-dialog")
	p.focused("#delete-selected")
	p.see("#selected", "3 selected")
	p.press(kb.Enter)
	p.click(testid("confirm-delete"))
	p.gone(row("KEY_002"))
	p.see(testid("secrets-count"), "1 to 50 of 57 secrets")
	p.see(testid("undo-toast"), "3 secrets were deleted")
	p.click(testid("undo"))
	p.see(row("KEY_002"), "v1")
	p.hears("3 secrets are back, with all their versions.")
	p.see(testid("secrets-count"), "1 to 50 of 60 secrets")
	p.sameDocument()

	plain := open(t, browser, s, noScript)
	plain.do("make the table fit", chromedp.EmulateViewport(1280, 800))
	plain.signIn(owner)
	plain.visit("/settings/secrets?q=KEY_00&sort=-key")
	plain.click("#select-KEY_008")
	plain.click("#select-KEY_009")
	plain.follow("#delete-selected")
	plain.see("#delete-many-dialog-title", "Delete 2 secrets?")
	plain.see("#delete-many-dialog", "KEY_008")
	plain.follow(testid("confirm-delete"))
	plain.at("/settings/secrets?q=KEY_00&sort=-key")
	plain.see(testid("flash"), "2 secrets were deleted")
	plain.gone(row("KEY_009"))
	plain.follow(testid("undo"))
	plain.see(testid("flash"), "2 secrets are back")
	if plain.visit("/settings/secrets?q=KEY_00&sort=-key") != http.StatusOK {
		t.Error("the list does not answer")
	}
	plain.see(testid("secret-row")+":first-child", "KEY_009")

	// Each key has entries of its own.
	plain.visit("/settings/activity")
	for _, key := range []string{"KEY_008", "KEY_009"} {
		plain.see(testid("activity-row"), key)
	}
}

// importing previews a .env file, corrects it and imports it. Its text stays in
// the browser all the while.
func importing(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	p.signIn(owner)
	p.addSecret("OPENAI_API_KEY", p.plant("sk-import-first-Kd93"), "")
	p.addSecret("HF_TOKEN", p.plant("hf_import_same_Mx20"), "")
	p.follow(`.head-actions a[href="/settings/import"]`)
	p.see("h1", "Import secrets")
	p.mark()
	text := "FAL_KEY=" + p.plant("fal-import-new-Wq71") + "\nOPENAI_API_KEY=" + p.plant("sk-import-second-Zt55") + "\nHF_TOKEN=hf_import_same_Mx20\n" + p.plant("stray-line-of-a-key")
	p.fill("#import-value", text)
	p.click(testid("preview"))
	p.see(testid("import-sum"), "1 new, 1 set to another value, 1 equal, 1 refused.")
	p.hears("1 new, 1 set to another value, 1 equal, 1 refused")
	p.see(`[data-status=refused]`, "The line has no")
	p.until("its line is told", `document.querySelector("[data-status=refused] td").textContent === "4"`)
	p.gone(testid("import"))
	// The boxes show what they do at once.
	p.click("#import-overwrite")
	p.see(testid("import-sum"), "1 new, 1 changed, 1 equal, 1 refused.")
	p.fill("#import-value", text[:len(text)-len("stray-line-of-a-key")])
	p.click(testid("preview"))
	p.see(testid("import-sum"), "1 new, 1 changed, 1 equal.")
	p.sameDocument()
	if a := s.call(owner.APIKey, "GET", "/api/secrets/FAL_KEY", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("a preview has written a secret: %d", a.StatusCode)
	}
	p.follow(testid("import"))
	p.at("/settings/secrets")
	p.see(testid("flash"), "Imported: 1 secret added, 1 secret changed, 1 secret equal already.")
	p.see(row("FAL_KEY"), "v1")
	p.see(row("OPENAI_API_KEY"), "v2")

	// A file is previewed as soon as it is chosen or dropped.
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte("SLACK_BOT_TOKEN="+p.plant("xoxb-import-file-Lk08")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.visit("/settings/import")
	p.do("choose a file", chromedp.SetUploadFiles(chromedp.CSS("#import-file"), []string{file}))
	p.see(`[data-status=new]`, "SLACK_BOT_TOKEN")
	p.follow(testid("import"))
	p.see(row("SLACK_BOT_TOKEN"), "v1")

	plain := open(t, browser, s, noScript)
	plain.signIn(owner)
	plain.visit("/settings/import")
	plain.until("the preview leaves what was typed where it is", `document.querySelector("[data-testid=preview]").formTarget === "import-preview"`)
	plain.fill("#import-value", "SLACK_BOT_TOKEN="+plain.plant("xoxb-import-plain-Pe64")+"\n")
	if status := plain.follow(testid("import-plain")); status != http.StatusUnprocessableEntity {
		t.Errorf("an import over another value answered %d", status)
	}
	plain.see("#preview-title", "Nothing was written")
	plain.see(`[data-status=exists]`, "Set already")
	plain.fill("#import-value", "SLACK_BOT_TOKEN=xoxb-import-plain-Pe64\n")
	plain.click("#import-overwrite")
	plain.follow(testid("import-plain"))
	plain.see(testid("flash"), "Imported: 0 secrets added, 1 secret changed.")
	plain.see(row("SLACK_BOT_TOKEN"), "v2")
}
