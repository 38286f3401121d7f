package integration_test

import (
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"infsh/integration"
	"infsh/manifest"
)

// The names that published apps declare, and what they then read.
func TestPublishedNamesAreInTheCatalogue(t *testing.T) {
	c := integration.BuiltIn()
	for _, key := range strings.Fields(`gcp.vertex_ai x.tweet.read x.tweet.write x.user.read x.like.write x.follow.read x.follow.write
		x.bookmark.read x.bookmark.write x.dm.read x.dm.write x.media.write google.sheets google.docs google.drive google.slides google.calendar
		google.gmail.send google.gmail.modify google.gmail.compose google.sheets.readonly google.docs.readonly google.drive.readonly google.slides.readonly
		google.calendar.readonly google.gmail.readonly google.sa discord.bot`) {
		if _, ok := c.Find(key); !ok {
			t.Errorf("%s is not in the catalogue", key)
		}
	}
	for provider, names := range map[string]string{
		"google": "GOOGLE_OAUTH_CREDENTIALS GOOGLE_OAUTH_ACCESS_TOKEN GOOGLE_SA_CREDENTIALS", "gcp": "GCP_ACCESS_TOKEN GCP_PROJECT_NUMBER",
		"x": "X_ACCESS_TOKEN", "discord": "DISCORD_BOT_TOKEN", "slack": "SLACK_BOT_TOKEN", "github": "GITHUB_TOKEN", "notion": "NOTION_TOKEN",
		"microsoft": "MICROSOFT_ACCESS_TOKEN", "reddit": "REDDIT_ACCESS_TOKEN", "salesforce": "SALESFORCE_ACCESS_TOKEN SALESFORCE_INSTANCE_URL",
	} {
		p, ok := c.Provider(provider)
		if !ok {
			t.Errorf("%s is not in the catalogue", provider)
			continue
		}
		var gives []string
		for _, k := range p.Kinds {
			gives = append(gives, k.Names()...)
		}
		for _, name := range strings.Fields(names) {
			if !slices.Contains(gives, name) {
				t.Errorf("%s does not give %s", provider, name)
			}
		}
	}
}

// Each capability is served by a way to connect its provider.
func TestEachCapabilityIsServed(t *testing.T) {
	for _, p := range integration.BuiltIn().Providers() {
		for _, c := range p.Capabilities {
			if !slices.ContainsFunc(p.Kinds, func(k *integration.Kind) bool { return c.ServedBy(k.Type) }) {
				t.Errorf("nothing serves %s", c.Key)
			}
		}
	}
}

// corpus lets anyone try the catalogue on manifests that are not ours to copy:
//
//	go test ./integration -run Corpus -args -corpus /absolute/path/of/folder
var corpus = flag.String("corpus", filepath.Join("..", "manifest", "testdata", "apps"), "folder of `*.yml` manifests whose integrations must all be known")

func TestEveryIntegrationOfTheCorpusIsKnown(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(*corpus, "*.y*ml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifest in %s: %v", *corpus, err)
	}
	for _, path := range files {
		m, err := manifest.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range m.Integrations {
			if _, ok := integration.BuiltIn().Find(i.Key); !ok {
				t.Errorf("%s declares %s", path, i.Key)
			}
		}
	}
}

func TestBroaderScopesCoverNarrowerOnes(t *testing.T) {
	p, _ := integration.BuiltIn().Provider("google")
	const auth = "https://www.googleapis.com/auth/"
	if lacking := p.Lacking([]string{auth + "drive", auth + "gmail.modify"}, []string{auth + "drive.readonly", auth + "gmail.send", auth + "spreadsheets"}); !slices.Equal(lacking, []string{auth + "spreadsheets"}) {
		t.Errorf("lacking are %v", lacking)
	}
	if lacking := p.Lacking([]string{auth + "drive.readonly"}, []string{auth + "drive"}); len(lacking) != 1 {
		t.Error("a narrower scope covers a broader one")
	}
}

const good = `acme:
  name: Acme
  about: Our own.
  kinds:
    - type: oauth
      name: Account
      steps: [Ask the operator.]
      authorize: https://id.acme.example/authorize
      token: https://id.acme.example/token
      env: {ACME_TOKEN: access_token}
  capabilities:
    - {key: acme.read, words: Read, scopes: [read]}
`

// An operator's file adds and replaces providers, and each mistake in it is
// named.
func TestOperatorsFile(t *testing.T) {
	c, err := integration.BuiltIn().With("mine.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Find("acme.read"); !ok {
		t.Error("the provider was not added")
	}
	if _, ok := c.Find("google.sheets"); !ok {
		t.Error("the others are gone")
	}
	replaced, err := integration.BuiltIn().With("mine.yaml", []byte(strings.ReplaceAll(strings.ReplaceAll(good, "acme:", "x:"), "acme.read", "x.read")))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := replaced.Find("x.tweet.read"); ok {
		t.Error("the one of the same name was not replaced")
	}
	for _, tt := range []struct{ from, to, want string }{
		{"  name: Acme", "  nam: Acme", "nam"},
		{"https://id.acme.example/token", "http://id.acme.example/token", "https://"},
		{"https://id.acme.example/token", "https://user:pw@id.acme.example/token", "no address"},
		{"  about: Our own.", "  about: Our own.\n  network: loopback", "on this machine"},
		{"type: oauth", "type: saml", "saml"},
		{"      authorize: https://id.acme.example/authorize\n", "", "authorize is needed"},
		{"ACME_TOKEN: access_token", "ACME_TOKEN: refresh_token", "refresh_token"},
		{"ACME_TOKEN: access_token", "LD_PRELOAD: access_token", "LD_PRELOAD"},
		{"ACME_TOKEN: access_token", "ACME_TOKEN: 'field:password'", "password"},
		{"key: acme.read", "key: other.read", "acme."},
		{"words: Read,", "", "words"},
		{"scopes: [read]", "scopes: ['two words']", "no scope"},
		{"    - {key: acme.read, words: Read, scopes: [read]}", "    - {key: acme.read, words: Read}\n    - {key: acme.read, words: Read}", "twice"},
		{"acme:", "Acme!:", "provider"},
	} {
		if !strings.Contains(good, tt.from) {
			t.Fatalf("the test has no %q", tt.from)
		}
		_, err := integration.BuiltIn().With("mine.yaml", []byte(strings.Replace(good, tt.from, tt.to, 1)))
		if err == nil || !strings.Contains(err.Error(), "mine.yaml") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("with %q: %v, want one that names %q", tt.to, err, tt.want)
		}
	}
}
