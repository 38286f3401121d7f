package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"infsh/integration/oauthtest"
)

// The official SDK of the hosted service works against this server, and notices
// no difference. What it is asked stands in sdk/*.test.mjs, which can be read
// as its documentation.
func TestOfficialSDK(t *testing.T) {
	for _, name := range []string{"@inferencesh/sdk", "@seriousme/openapi-schema-validator"} {
		if _, err := os.Stat(filepath.Join("sdk", "node_modules", filepath.FromSlash(name))); err != nil {
			t.Fatalf("%s is not installed; `make test-needs` does it: %v", name, err)
		}
	}
	files, err := filepath.Glob(filepath.Join("sdk", "*.test.mjs"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d scripts: %v", len(files), err)
	}
	for _, file := range files {
		if script, err := os.ReadFile(file); err != nil || len(script) == 0 {
			t.Fatalf("%s is empty: %v", file, err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			provider := oauthtest.New(t)
			catalogue := filepath.Join(t.TempDir(), "providers.yaml")
			write(t, catalogue, string(provider.Catalogue("test")), 0o600)
			w := newTown(t, "--integrations", catalogue)
			people := map[string]any{"service_account_key": provider.ServiceAccountKey(t), "url": w.URL, "ada": sdkUser(w.ada, "ada"), "mia": sdkUser(w.mia, "mia"), "eve": sdkUser(w.eve, "eve")}
			town, err := json.Marshal(people)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("node", filepath.Base(file))
			cmd.Dir = "sdk"
			cmd.Env = append(cleanEnv(), "INFSH_TOWN="+string(town))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func sdkUser(u user, name string) map[string]string {
	return map[string]string{"email": name + "@example.com", "api_key": u.APIKey, "team_id": u.TeamID, "user_id": u.UserID}
}
