package secret_test

import (
	"testing"

	"infsh/app"
	"infsh/auth"
	"infsh/listing"
	"infsh/secret"
	"infsh/team"
)

// What a service key did stands under its name: in the list, in the history,
// at the versions of an app and at its grants. Once it is revoked, nobody is
// named in its stead.
func TestServiceKeysAreAuthors(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		keys := auth.NewKeys(w.db.Auth())
		key, _, err := keys.Create(t.Context(), w.owner, auth.NewKey{Name: "deploy bot", ServiceRole: "admin"})
		if err != nil {
			t.Fatal(err)
		}
		bot := team.NewActor(team.Identity{
			Kind: team.Key, Service: true, UserID: key.ID, Email: key.Name + " (service key)", CredentialID: key.ID, Scopes: key.Scopes,
			TeamID: w.owner.TeamID(), TeamName: "acme", Role: team.Admin,
		})
		if made := w.set(t, bot, "OPENAI_API_KEY", "sk-0123456789abcdef"); made.UpdatedBy != bot.Email() {
			t.Errorf("the answer names %q", made.UpdatedBy)
		}
		deployed, err := w.apps.Deploy(t.Context(), bot, app.Registration{Name: "digest", Requirements: []secret.Requirement{{Kind: secret.KindSecret, Key: "OPENAI_API_KEY"}}})
		if err != nil {
			t.Fatal(err)
		}
		everything, err := secret.Listing.Parse(listing.Request{})
		if err != nil {
			t.Fatal(err)
		}
		names := func() []string {
			t.Helper()
			page, err := w.secrets.Page(t.Context(), w.member, everything)
			if err != nil || len(page.Items) != 1 {
				t.Fatalf("%+v, %v", page, err)
			}
			history, err := w.secrets.History(t.Context(), w.member, "OPENAI_API_KEY")
			if err != nil || len(history) != 1 {
				t.Fatalf("%+v, %v", history, err)
			}
			found, err := w.apps.ByID(t.Context(), w.member, deployed.App.ID)
			if err != nil {
				t.Fatal(err)
			}
			grants, err := w.apps.Grants(t.Context(), w.member, deployed.App.ID)
			if err != nil || len(grants) != 1 {
				t.Fatalf("%+v, %v", grants, err)
			}
			return []string{page.Items[0].UpdatedBy, history[0].CreatedBy, found.Current.CreatedBy, grants[0].RequestedBy, grants[0].DecidedBy}
		}
		for i, got := range names() {
			if got != "deploy bot (service key)" {
				t.Errorf("author %d is %q", i, got)
			}
		}
		if err := keys.Revoke(t.Context(), w.owner, key.ID); err != nil {
			t.Fatal(err)
		}
		for i, got := range names() {
			if got != "a service key that was revoked" {
				t.Errorf("author %d of the revoked key is %q", i, got)
			}
		}
	})
}
