package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"infsh/api"
	"infsh/redact"
)

const (
	// projectedToken is where a Kubernetes pod has its token for this purpose. The
	// token in the usual place is for the cluster's own API, and is no business of
	// this server's.
	projectedToken = "/var/run/secrets/infsh/token"
	// maxIDToken is what is read of a token, in bytes.
	maxIDToken     = 16 << 10
	requestTimeout = 10 * time.Second
	// githubURL and githubToken are how GitHub lets a job ask for its token.
	githubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" //nolint:gosec // It is a name.
)

// platform is how this machine proves which pipeline or workload it runs.
type platform struct {
	// name is for messages.
	name string
	// variables are those that give it away to whoever has them.
	variables []string
	// token gets the platform's token, and what it was got with.
	token func(ctx context.Context) (redact.Value, []redact.Value, error)
}

// findPlatform finds out how this machine can prove itself; nil if it can't.
func (p *program) findPlatform() (*platform, error) {
	text, path := p.env("INFSH_ID_TOKEN"), p.env("INFSH_ID_TOKEN_FILE")
	if text != "" && path != "" {
		return nil, errors.New("INFSH_ID_TOKEN and INFSH_ID_TOKEN_FILE are both set: unset one of them")
	}
	if text != "" {
		return &platform{name: "INFSH_ID_TOKEN", token: func(context.Context) (redact.Value, []redact.Value, error) {
			return redact.NewValue(strings.TrimSpace(text)), nil, nil
		}}, nil
	}
	if path != "" {
		return tokenFile("INFSH_ID_TOKEN_FILE", path), nil
	}
	if p.env(githubURL) != "" && p.env(githubToken) != "" {
		return &platform{name: "GitHub Actions", variables: []string{githubURL, githubToken}, token: p.askGitHub}, nil
	}
	if _, err := os.Stat(p.projected); err == nil {
		return tokenFile(p.projected, p.projected), nil
	}
	switch {
	case isTrue(p.env("GITHUB_ACTIONS")):
		return nil, fail(ExitDenied, "this job of GitHub Actions may not ask for a token",
			"Add to the job or workflow: permissions: { id-token: write, contents: read }", "Or set INFSH_API_KEY.")
	case isTrue(p.env("GITLAB_CI")):
		return nil, fail(ExitDenied, "this job of GitLab has no token for infsh",
			"Add to the job: id_tokens: { INFSH_ID_TOKEN: { aud: "+inert(p.serverURL())+" } }", "Or set INFSH_API_KEY.")
	}
	return nil, nil
}

// tokenFile is read anew each time: who projects a token replaces it.
func tokenFile(name, path string) *platform {
	return &platform{name: name, token: func(context.Context) (redact.Value, []redact.Value, error) {
		text, err := readKeyFile(path, maxIDToken)
		if err != nil {
			return redact.Value{}, nil, fmt.Errorf("%s: %w", name, err)
		}
		return redact.NewValue(strings.TrimSpace(text)), nil, nil
	}}
}

// askGitHub asks for a job's token, as GitHub's documentation of OpenID Connect
// says. Nothing of what is sent or answered is in an error.
func (p *program) askGitHub(ctx context.Context) (redact.Value, []redact.Value, error) {
	asking := redact.NewValue(p.env(githubToken))
	fails := func(why string) (redact.Value, []redact.Value, error) {
		return redact.Value{}, nil, fmt.Errorf("GitHub Actions gave no token: %s", why)
	}
	address, err := url.Parse(p.env(githubURL))
	if err != nil || address.User != nil || address.Scheme != "https" && (address.Scheme != "http" || !api.IsLoopback(address.Hostname())) {
		return fails(githubURL + " is no https address")
	}
	audience, err := p.audience()
	if err != nil {
		return redact.Value{}, nil, err
	}
	q := address.Query()
	q.Set("audience", audience)
	address.RawQuery = q.Encode()
	for pause := time.Second; ; pause *= 2 {
		status, body := p.get(ctx, address.String(), asking)
		var answer struct{ Value api.Plaintext }
		switch {
		case status == http.StatusOK && json.Unmarshal(body, &answer) == nil && answer.Value.Len() > 0:
			return answer.Value.Value, []redact.Value{asking}, nil
		case status == http.StatusOK:
			return fails("its answer could not be read")
		case status != 0 && status != http.StatusTooManyRequests && status < 500:
			return fails(fmt.Sprintf("it answered %d; does the job have the permission id-token: write?", status))
		}
		if pause > 4*time.Second || p.sleep(ctx, pause) != nil {
			if status == 0 {
				return fails("it can't be reached")
			}
			return fails(fmt.Sprintf("it answered %d", status))
		}
	}
}

// get asks an address; the status is 0 where no answer came.
func (p *program) get(ctx context.Context, address string, bearer redact.Value) (status int, body []byte) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil
	}
	r.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "infsh/"+p.Version)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(resp.Body, 4*maxIDToken)); err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}

// audience is whom the token is asked for: the server's public URL, which is the
// one that it is reached by unless something else is said.
func (p *program) audience() (string, error) {
	if a := p.env("INFSH_ID_TOKEN_AUDIENCE"); a != "" {
		return a, nil
	}
	return api.NormalizeURL(p.serverURL())
}

// connectFor makes a client for a run of the app that request names: for whoever
// has a key or is logged in, and else for what the platform proves.
func (p *program) connectFor(ctx context.Context, request api.ResolveRequest) (*session, error) {
	return p.connectRun(ctx, request, "", false)
}

// exchange makes a session of the platform's token, which gets itself another
// credential when the one that it has is over.
func (p *program) exchange(ctx context.Context, from *platform, request api.ResolveRequest) (*session, error) {
	if p.env("INFSH_URL") == "" {
		// On this machine's port, where a server is by default, may be anything in a pod.
		return nil, &usageError{msg: "INFSH_URL is not set: the platform's token goes to no server that was not named"}
	}
	team := p.teamAsked()
	if !strings.Contains(request.App, "/") && team == "" {
		return nil, &usageError{msg: "which team's app? A token of the platform is exchanged for one app: write the namespace into its manifest, name the app with --app NAMESPACE/NAME, or the team with INFSH_TEAM"}
	}
	anonymous, err := p.client(redact.Value{}, "", nil)
	if err != nil {
		return nil, err
	}
	s := &session{team: team, platform: from}
	get := func(ctx context.Context) (redact.Value, error) {
		token, with, err := from.token(ctx)
		if err != nil {
			return redact.Value{}, fail(ExitDenied, err.Error())
		}
		s.mask(append(with, token)...)
		got, err := anonymous.ExchangeToken(ctx, api.Exchange{Token: token, App: request.App, Team: team, RunID: request.RunID})
		if err != nil {
			return redact.Value{}, p.notExchanged(from, err)
		}
		s.mask(got.AccessToken.Value)
		return got.AccessToken.Value, nil
	}
	if s.credential, err = get(ctx); err != nil {
		return nil, err
	}
	s.Client, err = p.client(s.credential, team, get)
	return s, err
}

// notExchanged says what to do where the server refused a token.
func (p *program) notExchanged(from *platform, err error) error {
	var answered *api.Error
	if !errors.As(err, &answered) || answered.Title == "" || errors.Is(err, api.ErrUnavailable) {
		return err
	}
	if answered.Title != api.TitleAccessDenied {
		return fail(ExitDenied, label("The token of "+from.name+" was not accepted", answered.Error()))
	}
	audience, aerr := p.audience()
	if aerr != nil {
		audience = p.serverURL()
	}
	return fail(ExitDenied, label("The token of "+from.name+" was not accepted", answered.Error()),
		"The team's trust says whom the token must be for (Settings → Runners); expected here: "+audience+".")
}
