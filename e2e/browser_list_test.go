package e2e

import (
	"context"
	"fmt"
	"net/http"
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
	p.see("#delete-many-dialog", "KEY_002 acme/summarise")
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
