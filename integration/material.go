package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"infsh/envelope"
	"infsh/redact"
)

// serviceAccountField is the field of the form, and the name in env, of a
// service account's key.
const serviceAccountField = "service_account_key"

// Material is what a connection holds that is secret. It is sealed whole.
type Material struct {
	access, refresh redact.Value
	tokenType       string
	// fields are what a person typed, and answers what the provider told beside
	// the token, such as the address of its API.
	fields, answers map[string]redact.Value
	// expires is when the access token ends; zero if that is not known to happen.
	expires time.Time
	scopes  []string
}

// materialJSON is what is sealed.
type materialJSON struct {
	Access  string            `json:"access_token,omitempty"`
	Refresh string            `json:"refresh_token,omitempty"`
	Type    string            `json:"token_type,omitempty"`
	Expires time.Time         `json:"expires,omitzero"`
	Scopes  []string          `json:"scopes,omitempty"`
	Fields  map[string]string `json:"fields,omitempty"`
	Answers map[string]string `json:"answers,omitempty"`
}

func revealed(values map[string]redact.Value) map[string]string {
	out := map[string]string{}
	for name, v := range values {
		out[name] = v.Reveal()
	}
	return out
}

func hidden(values map[string]string) map[string]redact.Value {
	out := map[string]redact.Value{}
	for name, v := range values {
		out[name] = redact.NewValue(v)
	}
	return out
}

// place binds what is sealed to the team, to the connection or client that owns
// it, and to its version.
func place(team, owner string, version int64) envelope.AssociatedData {
	return envelope.AssociatedData{Purpose: envelope.IntegrationToken, Team: team, Key: owner, Version: version}
}

func (m Material) seal(dek *envelope.DEK, team, owner string, version int64) ([]byte, error) {
	plain, err := json.Marshal(materialJSON{
		Access: m.access.Reveal(), Refresh: m.refresh.Reveal(), Type: m.tokenType, Expires: m.expires, Scopes: m.scopes,
		Fields: revealed(m.fields), Answers: revealed(m.answers),
	})
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return dek.Seal(place(team, owner, version), plain)
}

// errDamaged is a row that does not open.
var errDamaged = errors.New("what is stored of the integration does not open; it was changed or moved in the database")

// Open opens what a connection holds.
func Open(dek *envelope.DEK, team, owner string, version int64, sealed []byte) (Material, error) {
	plain, err := dek.Open(place(team, owner, version), sealed)
	if err != nil {
		return Material{}, fmt.Errorf("integration %s of team %s: %w: %w", owner, team, errDamaged, err)
	}
	defer clear(plain)
	var m materialJSON
	if err := json.Unmarshal(plain, &m); err != nil {
		return Material{}, fmt.Errorf("integration %s of team %s: %w", owner, team, errDamaged)
	}
	out := Material{tokenType: m.Type, expires: m.Expires, scopes: m.Scopes, fields: hidden(m.Fields), answers: hidden(m.Answers)}
	if m.Access != "" {
		out.access = redact.NewValue(m.Access)
	}
	if m.Refresh != "" {
		out.refresh = redact.NewValue(m.Refresh)
	}
	return out, nil
}

// Injected is one value for an app's environment.
type Injected struct {
	Name  string
	Value redact.Value
}

// Env returns the values under the names that the kind gives, and of them those
// that are wanted; none wanted means all. What the provider gave no value for is
// left out. A refresh token is never among them.
func (k *Kind) Env(m Material, wanted []string) []Injected {
	var out []Injected
	for _, name := range k.Names() {
		if len(wanted) > 0 && !slices.Contains(wanted, name) {
			continue
		}
		if v := m.value(k.env[name]); !v.IsZero() {
			out = append(out, Injected{Name: name, Value: v})
		}
	}
	return out
}

func (m Material) value(from source) redact.Value {
	switch {
	case from == sourceToken:
		return m.access
	case from == sourceCredentials:
		return m.credentials()
	case from == serviceAccountField:
		return m.fields[serviceAccountField]
	case len(from) > len(fieldSource) && from[:len(fieldSource)] == fieldSource:
		return m.fields[string(from[len(fieldSource):])]
	case len(from) > len(answerSource) && from[:len(answerSource)] == answerSource:
		return m.answers[string(from[len(answerSource):])]
	}
	return redact.Value{}
}

// credentials are the access token with its end as JSON, for libraries that
// read it so.
func (m Material) credentials() redact.Value {
	if m.access.IsZero() {
		return redact.Value{}
	}
	text, err := json.Marshal(struct {
		Token       string    `json:"token"`
		AccessToken string    `json:"access_token"`
		Type        string    `json:"token_type"`
		Scopes      []string  `json:"scopes"`
		Expiry      time.Time `json:"expiry,omitzero"`
	}{m.access.Reveal(), m.access.Reveal(), m.tokenType, m.scopes, m.expires.UTC().Truncate(time.Second)})
	if err != nil {
		return redact.Value{}
	}
	return redact.NewValue(string(text))
}
