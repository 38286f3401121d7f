package integration_test

import (
	"strings"
	"testing"

	"infsh/integration"
)

// Who lets an app have an integration is told what the account's token can do,
// and not only what the app declares.
func TestWhole(t *testing.T) {
	t.Parallel()
	all := []integration.Held{
		{Connection: integration.Connection{ID: "1", Provider: "google", Type: integration.OAuth, AccountName: "ada@acme.example", Primary: true,
			Scopes: []string{"https://www.googleapis.com/auth/drive", "https://www.googleapis.com/auth/photos", "openid"}}},
		{Connection: integration.Connection{ID: "2", Provider: "google", Type: integration.OAuth, AccountName: "bob@acme.example", Scopes: []string{"https://www.googleapis.com/auth/spreadsheets"}}},
		{Connection: integration.Connection{ID: "3", Provider: "gcp", Type: integration.ServiceAccount, AccountName: "robot@acme.example", Primary: true}},
		{Connection: integration.Connection{ID: "5", Provider: "gcp", Type: integration.Federation, AccountName: "123456789012/infsh/infsh", Primary: true}},
		{Connection: integration.Connection{ID: "4", Provider: "discord", Type: integration.APIKey, AccountName: "helper", Primary: true}},
	}
	for _, c := range []struct {
		key, chosen string
		want, lacks []string
	}{
		{"google.sheets", "", []string{"the whole token of ada@acme.example", "delete all your files in Drive", "auth/photos"}, []string{"spreadsheets", "openid"}},
		{"google.sheets", "2", []string{"bob@acme.example", "See and change your spreadsheets."}, []string{"Drive"}},
		{"google", "", []string{"ada@acme.example"}, nil},
		{"gcp.vertex_ai", "", []string{"a token of robot@acme.example", "the roles of this service account"}, nil},
		{"gcp.vertex_ai", "5", []string{"a token of 123456789012/infsh/infsh at Google Cloud", "the roles there allow"}, nil},
		{"discord.bot", "", []string{"the whole key of helper"}, nil},
		{"x.tweet.write", "", []string{"the account at X that is connected for it"}, nil},
	} {
		got := integration.BuiltIn().Whole(c.key, all, c.chosen)
		for _, want := range append(c.want, "not only what it declares") {
			if !strings.Contains(got, want) {
				t.Errorf("%s says %q, without %q", c.key, got, want)
			}
		}
		for _, not := range c.lacks {
			if strings.Contains(got, not) {
				t.Errorf("%s says %q, with %q", c.key, got, not)
			}
		}
	}
	if got := integration.BuiltIn().Whole("nobody.knows", all, ""); got != "" {
		t.Errorf("an unknown one says %q", got)
	}
}
