package e2e

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"infsh/integration/oauthtest"
)

// A team connects a cloud that trusts the server, and a run receives the cloud's
// token: also after the keys were replaced by hand, for the cloud asks for them
// again. What the server signed, and what it signs with, is nowhere else.
func TestRunWithACloudThatTrustsTheServer(t *testing.T) {
	eachDatabase(t, func(t *testing.T, flags []string) {
		cloud := oauthtest.New(t)
		file := filepath.Join(t.TempDir(), "providers.yaml")
		if err := os.WriteFile(file, cloud.Catalogue("cloud"), 0o600); err != nil {
			t.Fatal(err)
		}
		data := t.TempDir()
		s := start(t, data, append([]string{"--integrations", file}, flags...)...)
		ada := s.createUser("ada@example.com", "acme")
		cloud.Trust(s.URL, "team:"+ada.TeamID)
		var told strings.Builder
		infshCLI := func(code int, args ...string) string {
			t.Helper()
			cmd := exec.Command(infsh, args...)
			cmd.Env = cleanEnv("INFSH_URL="+s.URL, "INFSH_API_KEY="+ada.APIKey)
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != code {
				t.Fatalf("infsh %s ended with %d: %s", strings.Join(args, " "), got, out)
			}
			told.Write(out)
			return string(out)
		}
		published := func() string {
			t.Helper()
			got := s.visitor().get("/.well-known/jwks.json")
			if got.StatusCode != http.StatusOK {
				t.Fatalf("the public keys: %d", got.StatusCode)
			}
			return string(got.Body)
		}
		if got := published(); got != `{"keys":[]}` {
			t.Errorf("before any is needed there are %s", got)
		}
		connect := []string{"integrations", "connect", "cloud", "--type", "workload_identity"}
		if out := infshCLI(2, connect...); !strings.Contains(out, "--issuer="+s.URL+" --subject=team:"+ada.TeamID) {
			t.Errorf("what is to be set is %s", out)
		}
		connect = append(connect, "--field", "project_number="+oauthtest.ProjectNumber)
		if out := infshCLI(1, append(connect, "--field", "pool=another")...); !strings.Contains(out, "Compare the names.") {
			t.Errorf("another pool: %s", out)
		}
		infshCLI(0, append(connect, "--field", "service_account="+oauthtest.Account)...)
		if out := infshCLI(0, "integrations", "list"); !strings.Contains(out, oauthtest.Account) || !strings.Contains(out, "workload_identity") {
			t.Errorf("the list is %s", out)
		}
		if a := s.call(ada.APIKey, "POST", "/api/apps", map[string]any{"name": "painter", "version": map[string]any{
			"required_integrations": []any{map[string]any{"key": "cloud.federated"}},
		}}); a.StatusCode != http.StatusCreated {
			t.Fatalf("deploy: %d %s", a.StatusCode, a.Body)
		}
		infshCLI(0, "app", "approve", "acme/painter", "cloud.federated")
		received := filepath.Join(t.TempDir(), "received")
		infshCLI(0, "run", "--app", "acme/painter", "--", "sh", "-c", `printf '%s %s' "$GCP_PROJECT_NUMBER" "$GCP_ACCESS_TOKEN" > `+received)
		env, err := os.ReadFile(received)
		number, token, _ := strings.Cut(string(env), " ")
		if _, ok := cloud.Knows(token); err != nil || !ok || number != oauthtest.ProjectNumber {
			t.Errorf("the run received a project of %d bytes and a token that is the cloud's: %v, %v", len(number), ok, err)
		}

		keys := published()
		for _, args := range [][]string{{"rotate-issuer-key"}, {"rotate-issuer-key", "--compromised"}} {
			if out := mustOperate(t, s.flags, args...); !strings.Contains(out, "signs") {
				t.Errorf("it says %s", out)
			}
			infshCLI(0, append(connect, "--field", "service_account="+oauthtest.Account)...)
		}
		if again := published(); again == keys || strings.Count(again, `"kid"`) != 2 {
			t.Errorf("after all are replaced: %s", again)
		}
		if n := cloud.Count("impersonated"); n != 3 {
			t.Errorf("the cloud gave %d tokens", n)
		}

		page := s.signIn(ada).get("/settings/integrations/cloud")
		told.WriteString(page.Body + s.stderr.String())
		var public struct{ Keys []struct{ N string } }
		s.visitor().get("/.well-known/jwks.json").json(t, &public)
		s.stop()
		signed := cloud.SubjectTokens()
		if len(signed) < 4 || len(public.Keys) != 2 {
			t.Fatalf("%d tokens were signed, %d keys are public", len(signed), len(public.Keys))
		}
		for _, one := range signed {
			_, claims, _ := strings.Cut(one, ".")
			if strings.Contains(told.String(), claims) {
				t.Error("a signed token is in the log, on a page or in an output")
			}
		}
		stored := everyFile(t, data)
		for _, k := range public.Keys {
			modulus, err := base64.RawURLEncoding.DecodeString(k.N)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(stored, modulus) { // Which each form of the private key has.
				t.Error("a private key is stored as it is")
			}
		}
		if bytes.Contains(stored, []byte("federated-")) || bytes.Contains(stored, []byte("account-")) {
			t.Error("a token of the cloud is stored as it is")
		}
	})
}

func everyFile(t *testing.T, dir string) (all []byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}
