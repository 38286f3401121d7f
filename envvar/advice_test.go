package envvar

import (
	"strings"
	"testing"
)

func TestAdviceIsGivenOnNamesThatSayNothing(t *testing.T) {
	tests := map[Key]string{
		"KEY1":        "OPENAI_API_KEY",
		"KEY":         "OPENAI_API_KEY",
		"TOKEN":       "REPLICATE_API_TOKEN",
		"token_2":     "REPLICATE_API_TOKEN",
		"SECRET":      "STRIPE_SECRET_KEY",
		"SECRET_KEY":  "STRIPE_SECRET_KEY",
		"API_KEY":     "OPENAI_API_KEY",
		"apikey":      "OPENAI_API_KEY",
		"MY_API_KEY":  "OPENAI_API_KEY",
		"PASSWORD":    "DATABASE_PASSWORD",
		"PWD2":        "DATABASE_PASSWORD",
		"URL":         "DATABASE_URL",
		"X":           "DATABASE_PASSWORD",
		"__":          "DATABASE_PASSWORD",
		"TEST":        "DATABASE_PASSWORD",
		"CLIENT_ID":   "DATABASE_PASSWORD",
		"AUTH_TOKEN1": "REPLICATE_API_TOKEN",
	}
	for key, example := range tests {
		if got := key.Advice(); !strings.HasPrefix(got, string(key)+" does not say") || !strings.Contains(got, example) {
			t.Errorf("%s.Advice() = %q; want it to propose %s", key, got, example)
		}
	}
}

func TestAdviceNamesTheUsualCase(t *testing.T) {
	if got := Key("openai_api_key").Advice(); !strings.Contains(got, "OPENAI_API_KEY") || !strings.Contains(got, "case matters") {
		t.Errorf("Advice = %q; want it to name OPENAI_API_KEY", got)
	}
}

func TestGoodNamesGetNoAdvice(t *testing.T) {
	keys := []Key{"HF_TOKEN", "DATABASE_URL", "X_API_KEY", "GITHUB_TOKEN", "db_password", "myServiceKey", "S3_KEY"}
	for _, k := range WellKnown() {
		keys = append(keys, k.Key)
	}
	for key := range credentialOf() {
		keys = append(keys, key)
	}
	for _, key := range keys {
		if got := key.Advice(); got != "" {
			t.Errorf("%s.Advice() = %q; want none", key, got)
		}
	}
}

func TestWellKnownNamesCanBeSet(t *testing.T) {
	known := WellKnown()
	if len(known) != 9 || known[0].Key != "OPENAI_API_KEY" || known[8].Key != "TWILIO_AUTH_TOKEN" {
		t.Errorf("WellKnown() = %v; want the nine common secrets in their order", known)
	}
	for _, k := range known {
		if _, err := ParseKey(string(k.Key)); err != nil {
			t.Error(err)
		}
		if err := k.Key.Permit(false); err != nil {
			t.Error(err)
		}
		if k.Service == "" || k.Description == "" {
			t.Errorf("%s has no service or description", k.Key)
		}
	}
	known[0].Key = "CHANGED"
	if WellKnown()[0].Key != "OPENAI_API_KEY" {
		t.Error("a caller can change the list for others")
	}
}
