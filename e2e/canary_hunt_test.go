package e2e

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hunt drives a server with canaries, and keeps everything that comes out.
type hunt struct {
	*server
	t *testing.T
	// tmp is the TMPDIR of all processes; work is where commands run; config
	// holds the saved login.
	tmp, work, config string
	canaries          []canary
	places            []place
	cookies           int
}

// place is something that came out, and the names of the canaries that are
// meant to be in it.
type place struct {
	name  string
	data  []byte
	meant []string
}

func newHunt(t *testing.T) *hunt {
	h := &hunt{t: t, work: t.TempDir(), config: filepath.Join(t.TempDir(), "config")}
	data := filepath.Join(t.TempDir(), "data")
	h.tmp = t.TempDir()
	t.Setenv("TMPDIR", h.tmp)
	h.server = start(t, data)
	return h
}

// plant makes a text a canary, and returns it.
func (h *hunt) plant(name, text string) string {
	h.t.Helper()
	return h.add(newCanary(name, text, false))
}

// plantGuessable makes a canary of a text that could be guessed from a hash: a
// password, or a value that a person made up. A random token can't.
func (h *hunt) plantGuessable(name, text string) string {
	h.t.Helper()
	return h.add(newCanary(name, text, true))
}

func (h *hunt) add(c canary) string {
	h.t.Helper()
	if c.text == "" || slices.ContainsFunc(h.canaries, func(o canary) bool { return o.name == c.name }) {
		h.t.Fatalf("canary %q is empty or not new", c.name)
	}
	h.canaries = append(h.canaries, c)
	return c.text
}

func (h *hunt) saw(name string, data []byte) {
	h.places = append(h.places, place{name: name, data: data})
}

// meant says that the last thing that came out is meant to hold the canaries.
// The search then fails if it doesn't find them there.
func (h *hunt) meant(names ...string) {
	last := &h.places[len(h.places)-1]
	last.meant = append(last.meant, names...)
}

// meantIn says the same of a place by its name.
func (h *hunt) meantIn(name string, canaries ...string) {
	h.t.Helper()
	i := slices.IndexFunc(h.places, func(p place) bool { return p.name == name })
	if i < 0 {
		h.t.Fatalf("there is no place named %q", name)
	}
	h.places[i].meant = append(h.places[i].meant, canaries...)
}

// RoundTrip keeps every answer, headers and body, but for the cookie of the
// session that the answer is about. That becomes a canary.
func (h *hunt) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))

	var out bytes.Buffer
	header := res.Header.Clone()
	header["Set-Cookie"] = slices.DeleteFunc(header["Set-Cookie"], func(line string) bool {
		cookie, err := http.ParseSetCookie(line)
		if err != nil || cookie.Name != "infsh_session" || cookie.Value == "" {
			return false
		}
		h.cookies++
		h.plant(fmt.Sprintf("session cookie %d", h.cookies), cookie.Value)
		return true
	})
	fmt.Fprintln(&out, res.Status)
	_ = header.Write(&out)
	out.Write(body)
	h.saw(fmt.Sprintf("the answer to %s %.40s (%d)", req.Method, req.URL.Path, len(h.places)), out.Bytes())
	return res, nil
}

// browser is a visitor whose answers are kept.
func (h *hunt) browser() *visitor {
	v := h.visitor()
	v.client.Transport = h
	return v
}

// raw posts a body as it is.
func (h *hunt) raw(v *visitor, method, path, contentType, body string, header ...string) answer {
	h.t.Helper()
	req, err := http.NewRequest(method, h.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Origin", h.URL)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	setHeaders(req, header)
	return send(h.t, v.client, req)
}

// api sends JSON with an API key.
func (h *hunt) api(key, method, path, body string, header ...string) answer {
	h.t.Helper()
	if key != "" {
		header = append([]string{"Authorization", "Bearer " + key}, header...)
	}
	return h.raw(h.browser(), method, path, "application/json", body, append([]string{"Origin", ""}, header...)...)
}

// want fails the test if the answer has another status: then the case didn't
// get to where the canary could have come out.
func (h *hunt) want(status int, a answer) answer {
	h.t.Helper()
	if a.StatusCode != status {
		h.t.Errorf("%s %s answered %d, want %d: %.300s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.Body)
	}
	return a
}

// command is a call of the command line.
type command struct {
	// key is the API key in the environment; empty uses the saved login.
	key   string
	stdin string
	env   []string
	code  int
}

func (h *hunt) environment(c command) []string {
	env := cleanEnv("HOME="+h.work, "INFSH_URL="+h.URL, "INFSH_CONFIG_DIR="+h.config, "INFSH_DEBUG=1")
	if c.key != "" {
		env = append(env, "INFSH_API_KEY="+c.key)
	}
	return append(env, c.env...)
}

// cli runs the program with --debug, keeps what it prints, and fails the test
// if it exits with another code.
func (h *hunt) cli(c command, args ...string) (stdout string) {
	h.t.Helper()
	cmd := exec.Command(infsh, append([]string{"--debug"}, args...)...)
	cmd.Env = h.environment(c)
	cmd.Dir = h.work
	cmd.Stdin = strings.NewReader(c.stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	name := "infsh " + strings.Join(args[:min(2, len(args))], " ")
	if got := cmd.ProcessState.ExitCode(); got != c.code {
		h.t.Errorf("%.40s exited with %d, want %d:\n%s", name, got, c.code, &errs)
	}
	h.saw(fmt.Sprintf("standard error of %.40s (%d)", name, len(h.places)), errs.Bytes())
	h.saw(fmt.Sprintf("standard output of %.40s (%d)", name, len(h.places)), out.Bytes())
	return out.String()
}

// file writes a file into the folder where commands run.
func (h *hunt) file(name, content string) string {
	h.t.Helper()
	path := filepath.Join(h.work, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// sawFolder keeps all files below a folder, and the names of all of them.
func (h *hunt) sawFolder(name, dir string) (files []string) {
	h.t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		names = append(names, path)
		if !entry.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, filepath.Base(path))
		h.saw(name+": "+filepath.Base(path), data)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.saw(name+": the names of its files", []byte(strings.Join(names, "\n")))
	return files
}

// search looks for each canary in each place, and for each one in a copy of
// the place into which it was put, so that a clean place was really read.
func (h *hunt) search() {
	h.t.Helper()
	for _, p := range h.places {
		for i, c := range h.canaries {
			form, meant := c.in(p.data), slices.Contains(p.meant, c.name)
			switch {
			case form != "" && !meant:
				h.t.Errorf("%s holds the %s, as %s", p.name, c.name, form)
			case form == "" && meant:
				h.t.Errorf("%s does not hold the %s, which it is meant to", p.name, c.name)
			}
			if form == "" {
				decoy := c.needles[i%len(c.needles)]
				if c.in(splice(p.data, decoy.text)) == "" {
					h.t.Errorf("the search would not find the %s in %s, as %s", c.name, p.name, decoy.form)
				}
			}
		}
		for _, name := range p.meant {
			if !slices.ContainsFunc(h.canaries, func(c canary) bool { return c.name == name }) {
				h.t.Errorf("%s is meant to hold the %q, which was never planted", p.name, name)
			}
		}
	}
}

// splice puts a text into the middle of a copy.
func splice(data, text []byte) []byte {
	middle := len(data) / 2
	return slices.Concat(data[:middle], text, data[middle:])
}

// form encodes pairs of names and values.
func form(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values
}
