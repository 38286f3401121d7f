package api

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"infsh/redact"
)

const canary = "sk-canary-4f1d7a90b3"

func plaintext(s string) *Plaintext { return NewPlaintext(redact.NewValue(s)) }

// Every message that can hold a plaintext, filled.
func messages() map[string]any {
	return map[string]any{
		"Secret":              Secret{Key: "K", Value: plaintext(canary)},
		"SecretWrite":         SecretWrite{Key: "K", Value: plaintext(canary)},
		"ImportRequest":       ImportRequest{Items: []ImportItem{{Key: "K", Value: plaintext(canary)}}},
		"ResolveResponse":     ResolveResponse{App: "a/b", Env: map[string]*Plaintext{"K": plaintext(canary)}},
		"APIKeyCreated":       APIKeyCreated{Key: plaintext(canary)},
		"InviteCreated":       InviteCreated{Link: plaintext(canary)},
		"DeviceCodeResponse":  DeviceCodeResponse{DeviceCode: plaintext(canary)},
		"DeviceTokenRequest":  DeviceTokenRequest{DeviceCode: plaintext(canary)},
		"DeviceTokenResponse": DeviceTokenResponse{APIKey: plaintext(canary)},
	}
}

func TestNoMessagePrintsItsPlaintext(t *testing.T) {
	for name, message := range messages() {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "message", message)
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "message", message)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&log, verb, message)
		}
		if strings.Contains(log.String(), canary) || strings.Contains(log.String(), fmt.Sprintf("%x", canary)) {
			t.Errorf("%s: the plaintext was printed", name)
		}
	}
}

func TestAMessageWithAPlaintextIsNotEncodedByAccident(t *testing.T) {
	for name, message := range messages() {
		if out, err := json.Marshal(message); err == nil {
			t.Errorf("%s: encoded without being asked by name, as %s", name, out)
		}
	}
}

func TestMarshalRevealedGivesBackWhatWasDecoded(t *testing.T) {
	type revealer interface{ MarshalRevealed() ([]byte, error) }
	for name, test := range map[string]struct {
		message revealer
		field   string
	}{
		"Secret":              {Secret{Owned: Owned{Object: Object{ID: "id1"}}, Key: "K", Value: plaintext(canary)}, "value"},
		"APIKeyCreated":       {APIKeyCreated{APIKey: APIKey{Name: "ci", Key: "infsh_…ab12"}, Key: plaintext(canary)}, "key"},
		"InviteCreated":       {InviteCreated{Invite: Invite{Email: "a@b.example"}, Link: plaintext(canary)}, "link"},
		"DeviceCodeResponse":  {DeviceCodeResponse{DeviceCode: plaintext(canary), UserCode: "ABCD-EFGH"}, "device_code"},
		"DeviceTokenResponse": {DeviceTokenResponse{APIKey: plaintext(canary)}, "api_key"},
	} {
		data, err := test.message.MarshalRevealed()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if fields[test.field] != canary {
			t.Errorf("%s: %q is %v, want the plaintext", name, test.field, fields[test.field])
		}
	}

	in := ResolveResponse{App: "acme/demo", Env: map[string]*Plaintext{"A": plaintext(canary), "B": plaintext("é\n\"<&>")}}
	data, err := in.MarshalRevealed()
	if err != nil {
		t.Fatal(err)
	}
	var out ResolveResponse
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	for key, want := range in.Env {
		if !out.Env[key].Equal(want.Value) {
			t.Errorf("%s did not come back as it went", key)
		}
	}
	if out.App != in.App {
		t.Errorf("app is %q, want %q", out.App, in.App)
	}
}

func TestASecretWithoutAValueHasNoSuchField(t *testing.T) {
	data, err := json.Marshal(Secret{Key: "K", MaskedValue: "••••••••"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), `"value"`) {
		t.Errorf("a masked secret has a value: %s", data)
	}
}

func TestAPutTellsAnAbsentFieldFromAnEmptyOne(t *testing.T) {
	for body, want := range map[string]struct{ value, description bool }{
		`{}`:                              {false, false},
		`{"value":"x"}`:                   {true, false},
		`{"description":""}`:              {false, true},
		`{"value":null}`:                  {false, false},
		`{"value":"","description":null}`: {true, false},
	} {
		var in SecretWrite
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if (in.Value != nil) != want.value || (in.Description != nil) != want.description {
			t.Errorf("%s: value given %v, description given %v", body, in.Value != nil, in.Description != nil)
		}
	}
}

// encoding/json puts U+FFFD for what is not Unicode. A value that was changed
// on its way in would be found out when a service refuses it.
func TestAPlaintextIsTakenByteForByteOrRefused(t *testing.T) {
	for _, good := range []struct{ json, want string }{
		{`"plain"`, "plain"},
		{`""`, ""},
		{`"\u00e9\n\\ud800"`, "é\n\\ud800"},
		{`"\ud83d\ude00"`, "😀"},
		{`"\uD83D\uDE00 \u0041"`, "😀 A"},
		{`"\ufffd"`, "\ufffd"},
		{"\"\ufffd\"", "\ufffd"},
	} {
		var p Plaintext
		if err := json.Unmarshal([]byte(good.json), &p); err != nil {
			t.Errorf("%s: %v", good.json, err)
		} else if p.Reveal() != good.want {
			t.Errorf("%s gave %q", good.json, p.Reveal())
		}
	}
	for _, bad := range []string{
		"\"\xff\"", "\"a\xc3\"", `"\ud800"`, `"\udc00"`, `"\ud800x"`, `"\ud800\n"`, `"\ud800\ud800"`, `"\ude00\ud83d"`,
		`1`, `true`, `{}`, `["x"]`,
	} {
		var p Plaintext
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzPlaintext(f *testing.F) {
	for _, seed := range []string{`"x"`, `"\ud83d\ude00"`, `"\ud800"`, `"\\ud800"`, "\"\xff\"", `null`, `"\u00`, `"\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Plaintext
		if json.Unmarshal(data, &p) != nil || p.IsZero() {
			return
		}
		value := p.Reveal()
		if !utf8.ValidString(value) {
			t.Fatalf("accepted text that is not UTF-8: %q", data)
		}
		// What was accepted survives another way through.
		again, err := Secret{Value: &p}.MarshalRevealed()
		if err != nil {
			t.Fatal(err)
		}
		var back Secret
		if err := json.Unmarshal(again, &back); err != nil || back.Value.Reveal() != value {
			t.Fatalf("%q did not come back: %v", data, err)
		}
		// The replacement character was in the text, or it was not put there.
		if strings.ContainsRune(value, utf8.RuneError) &&
			!strings.Contains(strings.ToLower(string(data)), `\ufffd`) && !strings.Contains(string(data), "\ufffd") {
			t.Fatalf("%q: a replacement character was put in", data)
		}
	})
}
