package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"infsh/api"
	"infsh/envvar"
)

// The exit codes. `infsh run` otherwise exits with its command's code.
const (
	ExitOK           = 0
	ExitFailure      = 1
	ExitUsage        = 2
	ExitRequirements = 3
	ExitDenied       = 4
	ExitNotFound     = 5
)

// usageError is a command line that can't be understood.
type usageError struct {
	msg     string
	command string
}

func (e *usageError) Error() string { return e.msg }

// Usage makes an error that ends the program with ExitUsage, for commands that
// are added from outside.
func Usage(format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...)}
}

// failure is an error whose exit code and wording are settled. The first line
// says what is wrong, the others what to do.
type failure struct {
	code  int
	lines []string
}

func (e *failure) Error() string { return strings.Join(e.lines, "\n") }

func fail(code int, lines ...string) error { return &failure{code, lines} }

// noCredential is that there is neither a key nor a login.
type noCredential struct{ why string }

func (e *noCredential) Error() string { return notLoggedIn + "\n" + e.why }

// exitStatus ends the program without a word: all is said, or it is a child's.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func isReported(err error) bool {
	var f *failure
	var u *usageError
	var s exitStatus
	return errors.As(err, &f) || errors.As(err, &u) || errors.As(err, &s)
}

// report prints an error, made inert line by line, and returns its exit code.
func (p *program) report(err error) int {
	if err == nil {
		return ExitOK
	}
	var status exitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	code, lines := p.explain(err)
	for _, line := range lines {
		p.notef("%s", line)
	}
	return code
}

func (p *program) explain(err error) (int, []string) {
	var (
		settled     *failure
		usage       *usageError
		answered    *api.Error
		unreachable *api.UnreachableError
		protocol    *api.ProtocolError
	)
	var none *noCredential
	switch {
	case errors.As(err, &none):
		return ExitDenied, []string{notLoggedIn, none.why}
	case errors.As(err, &settled):
		return settled.code, settled.lines
	case errors.As(err, &usage):
		lines := strings.Split(strings.TrimSpace(usage.msg), "\n")
		if usage.command != "" {
			lines = append(lines, "See `"+usage.command+" --help`.")
		}
		return ExitUsage, lines
	case errors.Is(err, context.Canceled):
		return ExitFailure, []string{"interrupted"}
	case errors.As(err, &unreachable):
		return ExitFailure, []string{
			"the server at " + unreachable.URL + " can't be reached: " + unreachable.Err.Error(),
			"Is it running? If it is elsewhere, name it: export INFSH_URL=https://infsh.example.com",
		}
	case errors.As(err, &protocol):
		return ExitFailure, []string{
			protocol.Error(),
			"The server is named by INFSH_URL.",
		}
	case errors.As(err, &answered):
		return p.explainAnswer(answered)
	}
	return ExitFailure, strings.Split(err.Error(), "\n")
}

func (p *program) explainAnswer(e *api.Error) (int, []string) {
	switch {
	case e.Title == "":
		// Whatever answered does not speak this API: its status says nothing
		// about secrets or rights.
		return ExitFailure, []string{
			"unexpected answer from " + p.serverURL() + ": " + e.Error(),
			"Is this the address of an infsh server? It is named by INFSH_URL.",
		}
	case errors.Is(e, api.ErrRequirements):
		return ExitRequirements, p.requirementLines(e)
	case e.Status == http.StatusUnauthorized:
		return ExitDenied, []string{notLoggedIn, label("The server at "+p.serverURL()+" does not accept this credential", e.Detail)}
	case errors.Is(e, api.ErrDenied):
		return ExitDenied, append([]string{label("Permission denied", e.Error())}, p.whoCanHelp(e)...)
	case e.Title == api.TitleSecretNotFound:
		return ExitNotFound, []string{
			label("Secret not found", e.Detail),
			"`infsh secrets list` shows the keys that are set.",
		}
	case errors.Is(e, api.ErrNotFound):
		return ExitNotFound, []string{label("Not found", e.Detail)}
	case errors.Is(e, api.ErrUnavailable):
		lines := []string{e.Error()}
		if e.RetryAfter > 0 {
			lines = append(lines, "Try again in "+e.RetryAfter.Round(time.Second).String()+".")
		}
		return ExitFailure, lines
	}
	return ExitFailure, []string{e.Error()}
}

const notLoggedIn = "not logged in: run `infsh login` or set INFSH_API_KEY"

func (p *program) whoCanHelp(e *api.Error) []string {
	switch e.Title {
	case api.TitleTeamRoleRequired:
		return []string{"An owner or an admin can change your role (Settings → Members); `infsh teams list` shows the roles that you have."}
	case api.TitleScopeRequired:
		return []string{"`infsh me` shows the scopes of this credential (Settings → API keys makes others); `infsh login` lets you act as yourself."}
	case api.TitleWrongTeam:
		return []string{"Check the team: --team, INFSH_TEAM and `infsh teams switch` choose it, `infsh teams list` shows yours."}
	}
	return []string{
		"Secrets belong to a team: check with `infsh me` that you are who you mean to be, in the right team.",
		"An owner or an admin of the team can give you access.",
	}
}

// requirementLines says for each requirement what is wrong and how it is met.
func (p *program) requirementLines(e *api.Error) []string {
	if len(e.Requirements) == 0 {
		return []string{label("requirements not met", e.Detail)}
	}
	// The detail says the same again, for those who read nothing else.
	lines := []string{"requirements not met: nothing was started"}
	for _, r := range e.Requirements {
		lines = append(lines, about(r.Key, r.Message))
		// A key that is not granted is approved on the page that the link opens.
		ungranted := r.State == api.StateWaiting || r.State == api.StateRevoked || r.State == api.StateNotGranted
		if command := remedy(r.Key, r.StagedVersion); command != "" && r.Type == api.RequirementSecret && !ungranted {
			lines = append(lines, "  "+command)
		}
		if link := p.link(r.Action.URL); link != "" {
			lines = append(lines, "  "+link)
		}
	}
	return lines
}

// link makes an address from the server complete. What is not a web address
// that can be shown safely gives "".
func (p *program) link(address string) string {
	if strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") {
		base, err := api.NormalizeURL(p.serverURL())
		if err != nil {
			return ""
		}
		address = base + address
	}
	if !isWebURL(address) {
		return ""
	}
	return address
}

// remedy is the command that makes a missing key one that is set: another
// where a value of it is staged already.
func remedy(key string, staged int64) string {
	command := setCommand(key)
	if command != "" && staged > 0 {
		return fmt.Sprintf("infsh secrets activate %s --version %d", key, staged)
	}
	return command
}

// setCommand is a command to copy. A key that a server made up, with a shell's
// special characters in it, gives none.
func setCommand(key string) string {
	if _, err := envvar.ParseKey(key); err != nil {
		return ""
	}
	return "infsh secrets set " + key
}

// label puts a heading before a detail, unless the detail begins with it.
func label(heading, detail string) string {
	switch {
	case detail == "":
		return heading
	case len(detail) >= len(heading) && strings.EqualFold(detail[:len(heading)], heading):
		return heading + detail[len(heading):]
	}
	return heading + ": " + detail
}

// about puts a key before what is said about it, unless that begins with the
// key. Keys that differ in case are different keys.
func about(key, detail string) string {
	if detail == "" || strings.HasPrefix(detail, key+" ") {
		return cmp.Or(detail, key)
	}
	return key + ": " + detail
}
