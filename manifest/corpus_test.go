package manifest

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// corpus lets anyone try the reader on manifests that are not ours to copy:
//
//	go test ./manifest -run Corpus -v -args -corpus /absolute/path/of/folder
var corpus = flag.String("corpus", "testdata/apps", "folder of `*.yml and *.yaml` manifests that must all be readable")

func TestEveryManifestOfTheCorpusIsRead(t *testing.T) {
	entries, err := os.ReadDir(*corpus)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, e := range entries {
		if !slices.Contains([]string{".yml", ".yaml"}, filepath.Ext(e.Name())) {
			continue
		}
		m, err := Load(filepath.Join(*corpus, e.Name()))
		if err != nil {
			t.Error(err)
			continue
		}
		read++
		t.Logf("%s: %s/%s, %d secrets, %d integrations", e.Name(), m.Namespace, m.Name, len(m.Secrets), len(m.Integrations))
	}
	if read == 0 {
		t.Fatalf("no manifest was read in %s", *corpus)
	}
	t.Logf("%d manifests read", read)
}

func TestManifestsInTheShapesOfPublishedOnes(t *testing.T) {
	want := map[string]*Manifest{
		"image-api_inf.yml": {
			Namespace:   "acme",
			Name:        "poster-2-1",
			Description: "Posters from text and up to four reference images — 2K and 4K, any aspect ratio. Direct API.",
			Secrets: []SecretRequirement{
				{Key: "ACME_KEY", Description: "Acme API key (id:secret format)", Line: 17},
				{Key: "FAL_KEY", Description: "fal.ai API key for fallback", Optional: true, Line: 19},
			},
		},
		"spreadsheet_inf.yml": {
			Namespace:   "acme",
			Name:        "sheet-writer",
			Description: "Append rows to a spreadsheet",
			Secrets:     []SecretRequirement{{Key: "OPENROUTER_API_KEY", Line: 10}},
			Integrations: []IntegrationRequirement{
				{Key: "google.sheets", Description: "Full access to spreadsheets", Line: 12},
				{Key: "gcp.vertex_ai", Description: "Models (Gemini, etc.)", Line: 14},
			},
		},
		"no-needs_inf.yml": {
			Name:        "rotate-model",
			Description: "Renders a model from all sides, with controls for camera and light, at any size",
		},
		"agent_app.yaml": {
			Name: "support-agent",
			Secrets: []SecretRequirement{
				{Key: "OPENAI_API_KEY", Description: "For GPT-4 API calls", Line: 5},
				{Key: "DATABASE_URL", Description: "PostgreSQL connection string, read-only\n", Optional: true, Line: 8},
				{Key: "OPENAI_BASE_URL", Optional: true, Line: 14},
			},
			Integrations: []IntegrationRequirement{
				{Key: "x.tweet.read", Optional: true, Scopes: []string{"tweet.read", "users.read"}, Secrets: []string{"X_CLIENT_ID"}, Line: 16},
			},
		},
	}
	for file, m := range want {
		m.Path = filepath.Join("testdata/apps", file)
		got, err := Load(m.Path)
		if err != nil {
			t.Error(err)
			continue
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("%s is read as\n%+v\nwant\n%+v", file, got, m)
		}
	}
}
