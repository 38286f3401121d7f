package secret_test

import (
	"testing"

	"infsh/secret"
)

// A secret that was deleted and set anew has the number of the one before, and is
// another one.
func TestAStateTellsASecretFromItsSuccessor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "the-first-value-0123")
		w.deploys(t, w.owner, secret.Requirement{Kind: secret.KindSecret, Key: "OPENAI_API_KEY"})
		state := func() string {
			t.Helper()
			name, err := w.secrets.RunState(t.Context(), w.owner, secret.Run{App: "acme/app"})
			if err != nil {
				t.Fatal(err)
			}
			return name
		}
		first := state()
		if again := state(); again != first {
			t.Errorf("nothing has changed, and the state %s is %s", first, again)
		}
		if _, err := w.secrets.Delete(t.Context(), w.owner, "OPENAI_API_KEY"); err != nil {
			t.Fatal(err)
		}
		deleted := state()
		w.set(t, w.owner, "OPENAI_API_KEY", "the-other-value-4567")
		if anew := state(); deleted == first || anew == first || anew == deleted {
			t.Errorf("the states are %s, %s without the secret, %s with another", first, deleted, anew)
		}
	})
}
