package envelope_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"infsh/envelope"
)

// testdata/v1.json was made once with
//
//	go test ./envelope -run TestKnownAnswers -new-vectors testdata/v1.json
//
// and never changes: whatever this version of the format sealed must open for
// as long as anyone has a backup. The flag never overwrites a file.
var newVectors = flag.String("new-vectors", "", "make a file of known answers and stop")

type vectors struct {
	Note       string          `json:"note"`
	KEK        json.RawMessage `json:"kek"` // the content of a kek.json
	KEKID      string          `json:"kek_id"`
	StoreID    string          `json:"store_id"`
	KEKCheck   hexBytes        `json:"kek_check"`
	Team       string          `json:"team"`
	WrappedDEK hexBytes        `json:"wrapped_dek"`
	Records    []vectorRecord  `json:"records"`
}

type vectorRecord struct {
	Purpose   envelope.Purpose `json:"purpose"`
	Key       string           `json:"key"`
	Version   int64            `json:"version"`
	Plaintext string           `json:"plaintext"`
	Sealed    hexBytes         `json:"sealed"`
}

func (v vectors) associatedData(r vectorRecord) envelope.AssociatedData {
	return envelope.AssociatedData{Purpose: r.Purpose, Team: v.Team, Key: r.Key, Version: r.Version}
}

type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestKnownAnswers(t *testing.T) {
	if *newVectors != "" {
		makeVectors(t, *newVectors)
		return
	}
	v := loadVectors(t)
	kek := kekFromText(t, string(v.KEK))
	if kek.ID() != v.KEKID {
		t.Errorf("the KEK's fingerprint is %s, and was %s when the vectors were made", kek.ID(), v.KEKID)
	}
	if err := kek.VerifyCheck(v.StoreID, v.KEKCheck); err != nil {
		t.Errorf("the KEK check no longer verifies: %v", err)
	}
	dek, err := kek.OpenDEK(v.Team, v.WrappedDEK)
	if err != nil {
		t.Fatalf("the wrapped DEK no longer opens: %v", err)
	}
	if len(v.Records) != 3 {
		t.Fatalf("%d records, want one of each purpose", len(v.Records))
	}
	for _, r := range v.Records {
		got, err := dek.Open(v.associatedData(r), r.Sealed)
		if err != nil || string(got) != r.Plaintext {
			t.Errorf("%s opens as %q, %v; want %q", r.Purpose, got, err, r.Plaintext)
		}
	}
}

func makeVectors(t *testing.T, path string) {
	t.Helper()
	kekFile := filepath.Join(t.TempDir(), "kek.json")
	kek, err := envelope.CreateKEKFile(kekFile)
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{
		Note:    "Known answers of format version 1, with throwaway keys. Never change this file.",
		KEKID:   kek.ID(),
		StoreID: "example-store",
		Team:    "example-team",
		Records: []vectorRecord{
			{Purpose: envelope.SecretValue, Key: "OPENAI_API_KEY", Version: 1, Plaintext: "an example, not a key"},
			{Purpose: envelope.SecretHint, Key: "OPENAI_API_KEY", Version: 1, Plaintext: "•••••••• key"},
			{Purpose: envelope.IntegrationToken, Key: "google", Version: 7, Plaintext: "an example, not a token"},
		},
	}
	if v.KEK, err = os.ReadFile(kekFile); err != nil {
		t.Fatal(err)
	}
	if v.KEKCheck, err = kek.SealCheck(v.StoreID); err != nil {
		t.Fatal(err)
	}
	if v.WrappedDEK, err = kek.WrapNewDEK(v.Team); err != nil {
		t.Fatal(err)
	}
	dek, err := kek.OpenDEK(v.Team, v.WrappedDEK)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range v.Records {
		if v.Records[i].Sealed, err = dek.Seal(v.associatedData(r), []byte(r.Plaintext)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append(text, '\n')); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// kekFromText opens a KEK from text as an environment variable would give it.
func kekFromText(t testing.TB, text string) *envelope.KEK {
	t.Helper()
	kek, err := envelope.OpenKEK("env:TEST_KEK", func(string) (string, bool) { return text, true })
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

// newKEK makes a KEK in a file of its own and returns the file's content too.
func newKEK(t testing.TB) (*envelope.KEK, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kek.json")
	kek, err := envelope.CreateKEKFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return kek, string(text)
}

// newDEK makes and opens a DEK for the team.
func newDEK(t testing.TB, kek *envelope.KEK, team string) *envelope.DEK {
	t.Helper()
	wrapped, err := kek.WrapNewDEK(team)
	if err != nil {
		t.Fatal(err)
	}
	dek, err := kek.OpenDEK(team, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return dek
}
