package api

import (
	"encoding/json"
	"errors"
	"unicode/utf16"
	"unicode/utf8"

	"infsh/redact"
)

// Plaintext is a secret value or a credential inside a message.
//
// It decodes from JSON straight into a [redact.Value], so that no message
// holds the plaintext in a form that prints. It does not encode: a message
// that holds one is encoded by name, with MarshalRevealed, and by nothing else.
// An encoding that wrote "[redacted]" instead would store that text as
// somebody's secret.
type Plaintext struct{ redact.Value }

// NewPlaintext wraps a value for a message.
func NewPlaintext(v redact.Value) *Plaintext { return &Plaintext{Value: v} }

var (
	errImplicitPlaintext = errors.New("api: a plaintext is only encoded by MarshalRevealed")
	errNotUnicode        = errors.New("a value in the JSON text is not valid Unicode")
	errNotString         = errors.New("a value in the JSON text is not a string")
)

// MarshalJSON always fails.
func (Plaintext) MarshalJSON() ([]byte, error) { return nil, errImplicitPlaintext }

// UnmarshalJSON reads a JSON string. Where encoding/json would silently put
// U+FFFD for bytes that are not UTF-8 and for lone surrogates, it fails: what
// goes in comes out byte for byte, or is refused.
func (p *Plaintext) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '"' {
		return errNotString
	}
	if !utf8.Valid(data) || hasLoneSurrogate(data) {
		return errNotUnicode
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		// The decoder's own message may quote the text.
		return errNotString
	}
	p.Value = redact.NewValue(s)
	return nil
}

// hasLoneSurrogate reports whether a JSON string that is well formed otherwise
// has a \uXXXX escape that is half of a surrogate pair.
func hasLoneSurrogate(s []byte) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		r, ok := escapedRune(s[i:])
		if !ok {
			i++ // A short escape such as \n or \\.
			continue
		}
		i += 5
		if !utf16.IsSurrogate(r) {
			continue
		}
		low, ok := escapedRune(s[i+1:])
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// escapedRune reads \uXXXX at the start of s.
func escapedRune(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// open returns the plaintext for a wire struct, or nil where there is none.
func (p *Plaintext) open() *string {
	if p == nil {
		return nil
	}
	s := p.Reveal()
	return &s
}

// MarshalRevealed encodes the secret with its value.
func (s Secret) MarshalRevealed() ([]byte, error) {
	type bare Secret // Drops the methods, so that this does not call itself.
	value := s.Value.open()
	s.Value = nil
	return json.Marshal(struct {
		bare
		Value *string `json:"value,omitempty"`
	}{bare(s), value})
}

// MarshalRevealed encodes the answer with its values.
func (r ResolveResponse) MarshalRevealed() ([]byte, error) {
	type bare ResolveResponse
	env := make(map[string]string, len(r.Env))
	for key, value := range r.Env {
		if value == nil {
			return nil, errors.New("api: a resolved key has no value")
		}
		env[key] = value.Reveal()
	}
	r.Env = nil
	return json.Marshal(struct {
		bare
		Env map[string]string `json:"env"`
	}{bare(r), env})
}

// MarshalRevealed encodes the answer with the whole key.
func (k APIKeyCreated) MarshalRevealed() ([]byte, error) {
	return json.Marshal(struct {
		APIKey
		Key *string `json:"key"`
	}{k.APIKey, k.Key.open()})
}

// MarshalRevealed encodes the answer with the invite's link.
func (i InviteCreated) MarshalRevealed() ([]byte, error) {
	return json.Marshal(struct {
		Invite
		Link *string `json:"link"`
	}{i.Invite, i.Link.open()})
}

// MarshalRevealed encodes the answer with the signing secret.
func (w WebhookCreated) MarshalRevealed() ([]byte, error) {
	return json.Marshal(struct {
		Webhook
		Secret *string `json:"secret"`
	}{w.Webhook, w.Secret.open()})
}

// MarshalRevealed encodes the answer with the device code.
func (r DeviceCodeResponse) MarshalRevealed() ([]byte, error) {
	type bare DeviceCodeResponse
	code := r.DeviceCode.open()
	r.DeviceCode = nil
	return json.Marshal(struct {
		bare
		DeviceCode *string `json:"device_code"`
	}{bare(r), code})
}

// MarshalRevealed encodes the answer with the login's credential.
func (r DeviceTokenResponse) MarshalRevealed() ([]byte, error) {
	type bare DeviceTokenResponse
	key := r.APIKey.open()
	r.APIKey = nil
	return json.Marshal(struct {
		bare
		APIKey *string `json:"api_key"`
	}{bare(r), key})
}

// The requests that carry a plaintext, as the client sends them.

func (w SecretWrite) marshalRevealed() ([]byte, error) {
	type bare SecretWrite
	value := w.Value.open()
	w.Value = nil
	return json.Marshal(struct {
		bare
		Value *string `json:"value,omitempty"`
	}{bare(w), value})
}

func (r ImportRequest) marshalRevealed() ([]byte, error) {
	type bare ImportRequest
	type item struct {
		Key         string  `json:"key"`
		Value       *string `json:"value"`
		Description *string `json:"description,omitempty"`
	}
	items := make([]item, len(r.Items))
	for i, in := range r.Items {
		items[i] = item{in.Key, in.Value.open(), in.Description}
	}
	r.Items = nil
	return json.Marshal(struct {
		bare
		Items []item `json:"items"`
	}{bare(r), items})
}

func (r DeviceTokenRequest) marshalRevealed() ([]byte, error) {
	return json.Marshal(struct {
		DeviceCode *string `json:"device_code"`
	}{r.DeviceCode.open()})
}

// encode encodes the message with its key, and says what it holds.
func (c IntegrationConnect) encode() ([]byte, []redact.Value, error) {
	type bare IntegrationConnect
	key, typed := c.APIKey.open(), map[string]string{}
	var sent []redact.Value
	if c.APIKey != nil {
		sent = append(sent, c.APIKey.Value)
	}
	for name, v := range c.Metadata {
		typed[name] = v.Reveal()
		sent = append(sent, v.Value)
	}
	c.APIKey, c.Metadata = nil, nil
	body, err := json.Marshal(struct {
		bare
		APIKey   *string           `json:"api_key,omitempty"`
		Metadata map[string]string `json:"metadata,omitempty"`
	}{bare(c), key, typed})
	return body, sent, err
}

// encode encodes the message with its code and state, and says what it holds.
func (c IntegrationComplete) encode() ([]byte, []redact.Value, error) {
	code, state := c.Code.open(), c.State.open()
	body, err := json.Marshal(struct {
		Code   *string `json:"code"`
		State  *string `json:"state"`
		Issuer string  `json:"iss,omitempty"`
		Error  string  `json:"error,omitempty"`
	}{code, state, c.Issuer, c.Error})
	return body, []redact.Value{c.Code.Value, c.State.Value}, err
}

// encode encodes the message with its secret, and says what it holds.
func (c IntegrationClientWrite) encode() ([]byte, []redact.Value, error) {
	body, err := json.Marshal(struct {
		ClientID     string  `json:"client_id"`
		ClientSecret *string `json:"client_secret"`
	}{c.ClientID, c.ClientSecret.open()})
	return body, []redact.Value{c.ClientSecret.Value}, err
}
