package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"infsh/db/dbtest"
)

// operator runs a command of the operator on a store.
func operator(t testing.TB, flags []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(infsh, append(append([]string{"admin"}, args...), flags...)...)
	cmd.Env = cleanEnv()
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	err = cmd.Run()
	return out.String(), messages.String(), err
}

func mustOperate(t testing.TB, flags []string, args ...string) string {
	t.Helper()
	stdout, stderr, err := operator(t, flags, args...)
	if err != nil {
		t.Fatalf("infsh admin %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

// eachDatabase gives a test the flags of a new store of each kind.
func eachDatabase(t *testing.T, test func(t *testing.T, flags []string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, nil)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, []string{"--database-url", dbtest.PostgresURL(t)})
	})
}

// stock is what must be readable, whatever happens to the keys.
type stock struct {
	t      testing.TB
	owners []user
	perKey int
}

// stockUp makes teams with secrets.
func stockUp(t testing.TB, s *server, teams, secrets int) stock {
	t.Helper()
	st := stock{t: t, perKey: secrets}
	for i := range teams {
		owner := s.createUser(fmt.Sprintf("owner%d@example.com", i), fmt.Sprintf("team-%d", i))
		st.owners = append(st.owners, owner)
		items := make([]map[string]string, secrets)
		for n := range items {
			items[n] = map[string]string{"key": stockKey(n), "value": st.value(owner, n)}
		}
		a := s.call(owner.APIKey, "POST", "/api/secrets/import", map[string]any{"items": items})
		if a.StatusCode != http.StatusOK {
			t.Fatalf("import: %d %.300s", a.StatusCode, a.Body)
		}
	}
	return st
}

func stockKey(n int) string { return fmt.Sprintf("STOCK_%04d", n) }

func (st stock) value(owner user, n int) string {
	return fmt.Sprintf("the value %d in stock of %s", n, owner.Team)
}

// check reads one of the secrets.
func (st stock) check(s *server, when string, owner user, n int) {
	st.t.Helper()
	a := s.call(owner.APIKey, "GET", "/api/secrets/reveal/"+stockKey(n), nil)
	var got struct{ Value string }
	a.json(st.t, &got)
	if a.StatusCode != http.StatusOK || got.Value != st.value(owner, n) {
		st.t.Fatalf("%s: %s of %s: %d %.300s\n%s", when, stockKey(n), owner.Team, a.StatusCode, a.Body, s.stderr)
	}
}

// checkSome lists every team, which opens all hints, and reads some of its
// values.
func (st stock) checkSome(s *server, when string) {
	st.t.Helper()
	for _, owner := range st.owners {
		a := s.call(owner.APIKey, "POST", "/api/secrets/list", map[string]any{"limit": 1})
		var page struct {
			Total int `json:"total_items"`
		}
		a.json(st.t, &page)
		if a.StatusCode != http.StatusOK || page.Total < st.perKey {
			st.t.Fatalf("%s: the list of %s: %d, %d of %d secrets: %.300s", when, owner.Team, a.StatusCode, page.Total, st.perKey, a.Body)
		}
		for range 8 {
			st.check(s, when, owner, rand.IntN(st.perKey))
		}
	}
}

func (st stock) checkAll(s *server, when string) {
	st.t.Helper()
	for _, owner := range st.owners {
		for n := range st.perKey {
			st.check(s, when, owner, n)
		}
	}
}

// The steps of docs/operations.md for one instance with key files: after them
// the new key opens everything, and the old one alone starts nothing.
func TestRotateKEKStepByStep(t *testing.T) {
	eachDatabase(t, func(t *testing.T, flags []string) {
		data := filepath.Join(t.TempDir(), "data")
		s := start(t, data, flags...)
		st := stockUp(t, s, 2, 10)
		old, young := "file:"+filepath.Join(data, "kek.json"), "file:"+filepath.Join(data, "kek-2.json")
		store := storeFlags(data, flags)

		// A wrong or missing new key changes nothing.
		for to, says := range map[string]string{young: "does not exist", "env:NO_SUCH_KEK": "not set", "kek-2.json": "file:PATH", "hcvault+http://127.0.0.1:1/transit/keys/infsh": "VAULT_TOKEN"} {
			if _, stderr, err := operator(t, store, "rotate-kek", "--to", to); err == nil || !strings.Contains(stderr, says) {
				t.Errorf("rotate-kek --to %s: %v, %q", to, err, stderr)
			}
		}
		if stderr := mustFail(t, store, "rotate-kek"); !strings.Contains(stderr, "--to") {
			t.Errorf("without --to it says %q", stderr)
		}
		st.checkSome(s, "after refused rotations")
		s.stop()
		s = start(t, data, flags...)
		if a := s.call("", "GET", "/readyz", nil); a.StatusCode != http.StatusOK {
			t.Errorf("/readyz answers %d", a.StatusCode)
		}
		s.stop()

		// 1. A new key. 2. The server restarts with both. 3. The rotation.
		mustOperate(t, nil, "new-kek", filepath.Join(data, "kek-2.json"))
		if stderr := mustFail(t, nil, "new-kek", filepath.Join(data, "kek-2.json")); !strings.Contains(stderr, "exists") {
			t.Errorf("a second new-kek says %q", stderr)
		}
		s = start(t, data, append([]string{"--kek", young, "--kek-old", old}, flags...)...)
		if got := mustOperate(t, store, "rotate-kek", "--to", young); !strings.Contains(got, "2 data keys were wrapped anew") {
			t.Errorf("it printed %q", got)
		}
		st.checkAll(s, "with the server that was given both")
		if a := s.call("", "GET", "/readyz", nil); a.StatusCode != http.StatusOK {
			t.Errorf("/readyz answers %d after the rotation", a.StatusCode)
		}
		s.stop()

		// 4. The new key alone. The old one alone is refused.
		refused, err := tryStart(t, data, flags...)
		if err == nil || !strings.Contains(refused.stderr.String(), "does not belong to this store") {
			t.Fatalf("a start with the old key: %v\n%s", err, refused.stderr)
		}
		s = start(t, data, append([]string{"--kek", young}, flags...)...)
		st.checkAll(s, "with the new key alone")
		if stderr := mustFail(t, store, "rotate-dek"); !strings.Contains(stderr, "does not belong to this store") {
			t.Errorf("rotate-dek with the old key says %q", stderr)
		}
		store = append(store, "--kek", young)
		if got := mustOperate(t, store, "rotate-kek", "--to", young); !strings.Contains(got, "already") {
			t.Errorf("a second time it printed %q", got)
		}

		// The data keys, of one team and of all.
		if got := mustOperate(t, store, "rotate-dek", "--team", "team-1"); got != "1 data key was replaced, and 10 versions of secrets were encrypted anew.\n" {
			t.Errorf("rotate-dek --team printed %q", got)
		}
		if got := mustOperate(t, store, "rotate-dek"); got != "2 data keys were replaced, and 20 versions of secrets were encrypted anew.\n" {
			t.Errorf("rotate-dek printed %q", got)
		}
		st.checkAll(s, "with other data keys")
		if stderr := mustFail(t, store, "rotate-dek", "--team", "nobody"); !strings.Contains(stderr, "nobody") {
			t.Errorf("a team that is not there: %q", stderr)
		}
	})
}

func mustFail(t testing.TB, flags []string, args ...string) (stderr string) {
	t.Helper()
	_, stderr, err := operator(t, flags, args...)
	if err == nil {
		t.Errorf("infsh admin %s succeeded", strings.Join(args, " "))
	}
	return stderr
}

// Rotations that are killed at random moments, beside servers that read and
// write, leave every value readable at each moment, and end when they are run
// again. The long form is that of make torture: 50 kills, 10,000 secrets, and
// on PostgreSQL three servers.
func TestKilledRotations(t *testing.T) {
	eachDatabase(t, func(t *testing.T, flags []string) {
		data := filepath.Join(t.TempDir(), "data")
		first := start(t, data, flags...)
		st := stockUp(t, first, times(3, 20), times(100, 500))
		mustOperate(t, nil, "new-kek", filepath.Join(data, "kek-2.json"))
		first.stop()
		keys := []string{"file:" + filepath.Join(data, "kek.json"), "file:" + filepath.Join(data, "kek-2.json")}
		both := append([]string{"--kek", keys[0], "--kek-old", keys[1]}, flags...)
		servers := []*server{start(t, data, both...)}
		if len(flags) > 0 {
			for range times(1, 2) {
				servers = append(servers, start(t, data, both...))
			}
		}
		store := storeFlags(data, both)
		stop := st.use(servers)

		next := 1 // the KEK to rotate to
		continued := 0
		// A kill may come before a rotation began or after it was done; one must
		// have come between.
		for kill := 0; kill < times(4, 50) || continued == 0 && kill < 20; kill++ {
			args := []string{"rotate-dek"}
			if kill%2 == 1 {
				args = []string{"rotate-kek", "--to", keys[next]}
			}
			killed := killAtRandom(t, store, args)
			when := fmt.Sprintf("after kill %d, of %s", kill, args[0])
			for _, s := range servers {
				st.checkSome(s, when)
			}
			again := mustOperate(t, store, args...)
			if killed && strings.Contains(again, "continued") {
				continued++
			}
			st.checkSome(servers[kill%len(servers)], when+", and run again")
			if long() {
				t.Logf("%s: readable; %d were half-way", when, continued)
			}
			if args[0] == "rotate-kek" {
				next = 1 - next
			}
		}
		t.Logf("%d rotations were continued half-way", continued)
		if continued == 0 {
			t.Error("no rotation was killed half-way")
		}
		stop()
		for i, s := range servers {
			if i == 0 {
				st.checkAll(s, "at the end")
			}
			s.stop()
		}
		last := start(t, data, append([]string{"--kek", keys[1-next]}, flags...)...)
		st.checkSome(last, "with the last key alone")
		mustOperate(t, storeFlags(data, flags), "audit", "verify")
	})
}

// killAtRandom kills a command at some moment: every second one at any time
// from its start, the others soon after it told of its first progress. It
// reports whether the command was still running.
func killAtRandom(t *testing.T, store, args []string) bool {
	t.Helper()
	cmd := exec.Command(infsh, append(append([]string{"admin"}, args...), store...)...)
	cmd.Env = cleanEnv()
	progress := newProgress()
	cmd.Stderr = progress
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if rand.IntN(2) == 0 {
		select {
		case <-progress.begun:
		case err := <-ended:
			ended <- err
		}
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("infsh admin %s: %v\n%s", args[0], err, progress)
		}
		return false
	case <-time.After(time.Duration(rand.IntN(times(30, 1500))) * time.Millisecond):
	}
	_ = cmd.Process.Kill()
	return <-ended != nil
}

// progress tells when a command wrote something.
type progress struct {
	lockedBuffer
	begun chan struct{}
	once  sync.Once
}

func newProgress() *progress { return &progress{begun: make(chan struct{})} }

func (p *progress) Write(b []byte) (int, error) {
	p.once.Do(func() { close(p.begun) })
	return p.lockedBuffer.Write(b)
}

// use reads and writes on all servers until stop. Each write and each read must
// succeed.
func (st stock) use(servers []*server) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i, s := range servers {
		owner := st.owners[i%len(st.owners)]
		key := fmt.Sprintf("WRITTEN_%d", i)
		running.Go(func() {
			for turn := 0; ctx.Err() == nil; turn++ {
				if err := st.turn(ctx, s, owner, key, turn); err != nil && ctx.Err() == nil {
					st.t.Errorf("server %d, turn %d: %v", i, turn, err)
					return
				}
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// turn writes a value and reads it back, and reads one of the stock.
func (st stock) turn(ctx context.Context, s *server, owner user, key string, turn int) error {
	value := fmt.Sprintf("written in turn %d", turn)
	method, path, body := "PUT", "/api/secrets/"+key, fmt.Sprintf(`{"value":%q}`, value)
	if turn == 0 {
		method, path, body = "POST", "/api/secrets", fmt.Sprintf(`{"key":%q,"value":%q}`, key, value)
	}
	n := rand.IntN(st.perKey)
	for _, r := range []struct{ method, path, body, want string }{
		{method, path, body, ""},
		{"GET", "/api/secrets/reveal/" + key, "", value},
		{"GET", "/api/secrets/reveal/" + stockKey(n), "", st.value(owner, n)},
	} {
		req, err := http.NewRequestWithContext(ctx, r.method, s.URL+r.path, strings.NewReader(r.body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+owner.APIKey)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		var got bytes.Buffer
		_, err = got.ReadFrom(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			return err
		}
		if res.StatusCode/100 != 2 || !strings.Contains(got.String(), r.want) {
			return fmt.Errorf("%s %s: %d %.300s", r.method, r.path, res.StatusCode, got.String())
		}
	}
	return nil
}

// A server whose key service does not answer refuses to start, says where it
// looked, and makes no key instead; the store stays as it is.
func TestStartWithAnUnreachableVault(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "hvs.throwaway-token-of-a-test")
	const nowhere = "hcvault+http://127.0.0.1:1/transit/keys/infsh"
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data)
	st := stockUp(t, s, 1, 3)
	s.stop()
	fresh := filepath.Join(t.TempDir(), "fresh")
	for _, dir := range []string{data, fresh} {
		for _, flags := range [][]string{{"--kek", nowhere}, {"--kek", "file:" + filepath.Join(data, "kek.json"), "--kek-old", nowhere}} {
			refused, err := tryStart(t, dir, flags...)
			said := refused.stderr.String()
			if err == nil || !strings.Contains(said, "Vault at 127.0.0.1:1") || !strings.Contains(said, "does not answer") || strings.Contains(said, "hvs.") {
				t.Errorf("%s: %v, %q", flags, err, said)
			}
		}
	}
	if made, _ := filepath.Glob(filepath.Join(fresh, "*.json")); len(made) > 0 {
		t.Errorf("keys were made: %q", made)
	}
	s = start(t, data)
	st.checkAll(s, "with its own key")
}

// A server that was forgotten, and has only the old key, stops being ready as
// soon as a rotation begins, and makes no team with a key that is given up.
func TestForgottenServerIsNotReady(t *testing.T) {
	eachDatabase(t, func(t *testing.T, flags []string) {
		data := filepath.Join(t.TempDir(), "data")
		s := start(t, data, flags...)
		ada := s.createUser("ada@example.com", "acme")
		young := filepath.Join(data, "kek-2.json")
		mustOperate(t, nil, "new-kek", young)
		mustOperate(t, storeFlags(data, flags), "rotate-kek", "--to", "file:"+young)
		a := s.call("", "GET", "/readyz", nil)
		if a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("/readyz answers %d", a.StatusCode)
		}
		// A new user of a new team is made by the same code as the server's.
		if stderr := mustFail(t, storeFlags(data, flags), "create-user", "--email", "bo@example.com", "--team", "beta"); !strings.Contains(stderr, "does not belong to this store") {
			t.Errorf("create-user with the old key says %q", stderr)
		}
		if a := s.call(ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "LATE", "value": "set on the old one"}); a.StatusCode/100 == 2 {
			t.Errorf("a secret was set: %d %.300s", a.StatusCode, a.Body)
		}
		other := start(t, data, append([]string{"--kek", "file:" + young}, flags...)...)
		if a := other.call(ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": "sk-after-the-rotation"}); a.StatusCode != http.StatusCreated {
			t.Errorf("the other server: %d %.300s", a.StatusCode, a.Body)
		}
	})
}
