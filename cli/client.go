package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"infsh/api"
	"infsh/redact"
)

const defaultURL = "http://127.0.0.1:8080"

// serverURL is the server as it was configured.
func (p *program) serverURL() string {
	if url := p.env("INFSH_URL"); url != "" {
		return url
	}
	return defaultURL
}

// session is a client with the credential that it acts with.
type session struct {
	*api.Client
	credential redact.Value
	// team is the username that was asked for, or empty.
	team string
	// saved is set where the credential comes from the saved login.
	saved *savedLogin
	// platform is set where the credential was got for its token.
	platform *platform

	mu sync.Mutex
	// tokens are what must not be printed beside the credential.
	tokens []redact.Value
}

// mask adds to what must not be printed.
func (s *session) mask(values ...redact.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = append(s.tokens, values...)
}

// masked are the tokens of the session, of which the last ones count in a run that
// gets many.
func (s *session) masked() []redact.Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tokens[max(0, len(s.tokens)-maxMasked):])
}

const maxMasked = 30

// withheld are the variables that let whoever has them get such tokens.
func (s *session) withheld() []string {
	if s.platform == nil {
		return nil
	}
	return s.platform.variables
}

// connect makes a client for whoever is logged in.
func (p *program) connect() (*session, error) {
	credential, ok, err := p.keyFromEnvironment()
	if err != nil {
		return nil, err
	}
	if ok {
		return p.session(credential, nil)
	}
	file, err := p.credentialFile()
	if err != nil {
		return nil, &noCredential{why: err.Error()}
	}
	key, err := api.NormalizeURL(p.serverURL())
	if err != nil {
		return nil, err
	}
	saved, ok, err := file.load(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &noCredential{why: "There is no saved login for " + key + "."}
	}
	return p.session(saved.credential, &saved)
}

// teamAsked is the team that the command line or the environment names, or empty.
func (p *program) teamAsked() string { return cmp.Or(p.team, p.env("INFSH_TEAM")) }

func (p *program) session(credential redact.Value, saved *savedLogin) (*session, error) {
	team := p.teamAsked()
	if team == "" && saved != nil {
		team = saved.team
	}
	client, err := p.client(credential, team, nil)
	if err != nil {
		return nil, err
	}
	return &session{Client: client, credential: credential, team: team, saved: saved}, nil
}

func (p *program) client(credential redact.Value, team string, renew func(context.Context) (redact.Value, error)) (*api.Client, error) {
	return api.New(p.serverURL(), credential, api.Options{
		Team:          team,
		InternalURL:   p.env("INFSH_INTERNAL_URL"),
		AllowInsecure: isTrue(p.env("INFSH_ALLOW_HTTP")),
		UserAgent:     "infsh/" + p.Version,
		Logger:        p.log,
		Renew:         renew,
	})
}

// keyFromEnvironment reads INFSH_API_KEY, or the file that INFSH_API_KEY_FILE
// names. Its errors name the variable and never quote what it holds.
func (p *program) keyFromEnvironment() (redact.Value, bool, error) {
	source, text := "INFSH_API_KEY", p.env("INFSH_API_KEY")
	if path := p.env("INFSH_API_KEY_FILE"); path != "" {
		if text != "" {
			return redact.Value{}, false, errors.New("INFSH_API_KEY and INFSH_API_KEY_FILE are both set: unset one of them")
		}
		var err error
		if text, err = readKeyFile(path, maxKeyFile); err != nil {
			return redact.Value{}, false, fmt.Errorf("INFSH_API_KEY_FILE: %w", err)
		}
		source = "INFSH_API_KEY_FILE"
	} else if text == "" {
		return redact.Value{}, false, nil
	}
	credential := redact.NewValue(text)
	if err := api.CheckCredential(credential); err != nil {
		return redact.Value{}, false, fail(ExitDenied, source+": "+err.Error())
	}
	return credential, true, nil
}

// maxKeyFile is what is read of a file with an API key, in bytes.
const maxKeyFile = 4096

// readKeyFile reads a key or token, and leaves out the line break at its end.
func readKeyFile(path string, most int64) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		// The path is not repeated: it may be the key itself.
		var failed *fs.PathError
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return "", fmt.Errorf("opening the file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}
