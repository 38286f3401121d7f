// Package manifest reads what an app declares about itself: its name, and the
// secrets and integrations that it needs. The file is app.yaml, or inf.yml as
// published apps call it.
//
// The reader is strict where a mistake would change what an app receives, and
// indifferent elsewhere: fields that it doesn't know belong to others.
package manifest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"infsh/envvar"
)

// Limits of a manifest.
const (
	MaxBytes          = 1 << 20 // of the file
	MaxRequirements   = 256     // secrets and integrations together
	MaxDescription    = 500     // characters, of one requirement
	MaxAppDescription = 4000    // characters, of the app
	MaxScopes         = 64      // of one integration, and as many secrets
)

// Manifest is what an app declares. Requirements are in the order of the file.
type Manifest struct {
	Path         string // as given to Load or Parse
	Namespace    string // "" where the file has none
	Name         string // "" only after Parse, where the file has none
	Description  string
	Secrets      []SecretRequirement
	Integrations []IntegrationRequirement
}

// SecretRequirement is a secret that the app wants in its environment. Its key
// is well-formed and not refused, but may be risky.
type SecretRequirement struct {
	Key         envvar.Key
	Description string // may have any printable text and line breaks: escape it
	Optional    bool
	Line        int // of the key in the file, from 1
}

// IntegrationRequirement is an account at another service that the app uses.
type IntegrationRequirement struct {
	Key         string // such as google.sheets
	Description string
	Optional    bool
	Secrets     []string // names of environment variables, well-formed and not refused
	Scopes      []string // as the service calls them
	Line        int
}

// Risky returns the secrets whose names redirect traffic or trust. They are no
// mistake in a manifest, but whoever deploys it has to confirm them.
func (m *Manifest) Risky() []SecretRequirement {
	var risky []SecretRequirement
	for _, s := range m.Secrets {
		if s.Key.Risk() == envvar.Risky {
			risky = append(risky, s)
		}
	}
	return risky
}

// Error is a mistake in a manifest. Its text is inert: what it quotes from the
// file is shortened and escaped.
type Error struct {
	Path string
	Line int // from 1; 1 also for mistakes of the whole file
	Msg  string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", inertPath(e.Path), e.Line, e.Msg) }

// inertPath escapes a path only if it has characters that a terminal would act
// on or not show.
func inertPath(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.QuoteToASCII(path)
	}
	return path
}

// quote shows text of the file in a message.
func quote(s string) string {
	const most = 40
	shown := []rune(s[:min(len(s), 4*most)])
	if len(shown) > most || len(s) > 4*most {
		return strconv.QuoteToASCII(string(shown[:min(len(shown), most)]) + "...")
	}
	return strconv.QuoteToASCII(s)
}
