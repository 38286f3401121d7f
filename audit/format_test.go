package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"infsh/audit"
)

// The encoding is read here after docs/format.md, with nothing but the standard
// library and from exported lines alone, so that it proves the document.

var updateDocs = flag.Bool("update-docs", false, "write the worked example into docs/format.md")

// log is a Snapshot of chains in memory.
type log map[audit.Chain][]audit.Link

func (l log) Chains(context.Context) (out []audit.Chain, _ error) {
	for c := range l {
		out = append(out, c)
	}
	return out, nil
}

func (l log) Head(_ context.Context, team string) (audit.Head, bool, error) {
	for c, links := range l {
		if c.TeamID == team && len(links) > 0 {
			last := links[len(links)-1]
			return audit.Head{Seq: last.Seq, Hash: audit.Hash(last.Hash)}, true, nil
		}
	}
	return audit.Head{}, false, nil
}

func (l log) Page(_ context.Context, team string, from int64, since time.Time, limit int) (out []audit.Link, _ error) {
	for c, links := range l {
		for _, link := range links {
			if c.TeamID == team && link.Seq >= from && !link.At.Before(since) && len(out) < limit {
				out = append(out, link)
			}
		}
	}
	return out, nil
}

// part is a piece of the bytes that are hashed.
type part struct {
	bytes []byte
	what  string
}

// hashed is "Hash" of docs/format.md: what is hashed for an exported line.
func hashed(t testing.TB, before []byte, exported string) []part {
	t.Helper()
	var l struct {
		TeamID       string `json:"team_id"`
		Seq          int64
		ID           string
		At           time.Time
		ActorKind    string `json:"actor_kind"`
		ActorID      string `json:"actor_id"`
		ActorName    string `json:"actor_name"`
		CredentialID string `json:"credential_id"`
		Action       string
		Target       string
		Outcome      string
		Reason       string
		RemoteAddr   string `json:"remote_addr"`
		RequestID    string `json:"request_id"`
		RunID        string `json:"run_id"`
		Versions     []struct {
			Key     string
			Version int64
		}
	}
	if err := json.Unmarshal([]byte(exported), &l); err != nil {
		t.Fatal(err)
	}
	number := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	parts := []part{
		{before, fmt.Sprintf("hash of entry %d", l.Seq-1)},
		{[]byte("infsh audit\x01"), `"infsh audit", encoding version 1`},
		{number(l.Seq), fmt.Sprintf("seq %d", l.Seq)},
		{number(l.At.UnixMicro()), "at, " + l.At.Format(time.RFC3339Nano)},
	}
	text := func(name, s string) {
		parts = append(parts, part{number(int64(len(s))), fmt.Sprintf("length of %s: %d", name, len(s))})
		if s != "" {
			parts = append(parts, part{[]byte(s), fmt.Sprintf("%q", s)})
		}
	}
	text("team_id", l.TeamID)
	text("id", l.ID)
	text("actor_kind", l.ActorKind)
	text("actor_id", l.ActorID)
	text("actor_name", l.ActorName)
	text("credential_id", l.CredentialID)
	text("action", l.Action)
	text("target", l.Target)
	text("outcome", l.Outcome)
	text("reason", l.Reason)
	text("remote_addr", l.RemoteAddr)
	text("request_id", l.RequestID)
	text("run_id", l.RunID)
	parts = append(parts, part{number(int64(len(l.Versions))), fmt.Sprintf("versions: %d", len(l.Versions))})
	for _, v := range l.Versions {
		text("key", v.Key)
		parts = append(parts, part{number(v.Version), fmt.Sprintf("version %d", v.Version)})
	}
	return parts
}

func sum(parts []part) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p.bytes)
	}
	return h.Sum(nil)
}

func export(t testing.TB, l log, chain audit.Chain, since time.Time) []string {
	t.Helper()
	var out bytes.Buffer
	if err := audit.Export(t.Context(), l, &out, chain, since); err != nil {
		t.Fatal(err)
	}
	if out.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// The hashes of an export can be computed from its lines alone, over several
// pages, and whatever the entries hold.
func TestExportedLinesCanBeVerified(t *testing.T) {
	chain := audit.Chain{TeamID: "acme", TeamName: "acme"}
	links, head := written("acme", 2500)
	var e audit.Entry
	e, head = head.Next(audit.Entry{
		At: noon, TeamID: "acme", Target: "é\u202e\u009b31m\x1b[2J\r\n\x7f\U0001F600<script>\u2028", RequestID: `"\`,
		Versions: []audit.KeyVersion{{Key: "Ключ", Version: math.MaxInt64}},
	})
	links = append(links, audit.Link{Entry: e, Hash: head.Hash[:]})
	lines := export(t, log{chain: links}, chain, time.Time{})
	if len(lines) != len(links) {
		t.Fatalf("%d lines for %d entries", len(lines), len(links))
	}
	before := make([]byte, 32)
	for i, line := range lines {
		before = sum(hashed(t, before, line))
		if !strings.Contains(line, `"hash":"`+hex.EncodeToString(before)+`"}`) {
			t.Fatalf("line %d is not as documented: %s", i+1, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("line %d is not printable: %q", i+1, line)
		}
	}
	if fmt.Sprintf("%x", before) != head.Hash.String() {
		t.Error("the last line's hash is not the head's")
	}
}

// since leaves out what is older, and nothing else.
func TestExportSince(t *testing.T) {
	chain := audit.Chain{TeamID: "acme"}
	links, _ := written("acme", 10)
	for i, l := range links {
		if lines := export(t, log{chain: links}, chain, l.At); len(lines) != len(links)-i {
			t.Errorf("since entry %d there are %d lines", i+1, len(lines))
		}
	}
	if lines := export(t, log{chain: links}, chain, noon.Add(time.Hour)); lines != nil {
		t.Errorf("%d lines are of the future", len(lines))
	}
}

// Verify reads a chain of several pages, and answers with its head.
func TestVerifyReadsAllPages(t *testing.T) {
	links, head := written("acme", 3000)
	l := log{{TeamID: "acme"}: links}
	if got, err := audit.Verify(t.Context(), l, "acme", audit.Head{}); err != nil || got != head {
		t.Errorf("got %v, %v", got, err)
	}
	links[2900].Target = "x"
	if _, err := audit.Verify(t.Context(), l, "acme", audit.Head{}); err == nil || !strings.HasPrefix(err.Error(), `entry 2901 (id "id-2901")`) {
		t.Errorf("got %v", err)
	}
}

// The worked example in the document is what the code makes.
func TestWorkedExample(t *testing.T) {
	chain := audit.Chain{TeamID: "example-team", TeamName: "acme"}
	var head audit.Head
	var links []audit.Link
	for _, e := range []audit.Entry{
		{ID: "entry-1", At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), ActorKind: "session", ActorID: "user-1", ActorName: "ada@example.com",
			Action: "secret.set", Target: "OPENAI_API_KEY", Outcome: audit.Allowed, RemoteAddr: "192.0.2.1", RequestID: "request-1",
			Versions: []audit.KeyVersion{{Key: "OPENAI_API_KEY", Version: 1}}},
		{ID: "entry-2", At: time.Date(2026, 3, 1, 12, 0, 1, 500000000, time.UTC), ActorKind: "key", ActorID: "user-1", ActorName: "ada@example.com",
			CredentialID: "key-1", Action: "app.resolve", Target: "acme/café", Outcome: audit.Allowed, RemoteAddr: "192.0.2.1", RequestID: "request-2",
			RunID: "run-1", Versions: []audit.KeyVersion{{Key: "OPENAI_API_KEY", Version: 1}}},
	} {
		e.TeamID = chain.TeamID
		e, head = head.Next(e)
		links = append(links, audit.Link{Entry: e, Hash: bytes.Clone(head.Hash[:])})
	}
	lines := export(t, log{chain: links}, chain, time.Time{})
	var b strings.Builder
	before := make([]byte, 32)
	for i, line := range lines {
		fmt.Fprintf(&b, "Entry %d, exported\n%s\n\nEntry %d, what is hashed\n", i+1, line, i+1)
		parts := hashed(t, before, line)
		for _, p := range parts {
			writeHex(&b, p)
		}
		before = sum(parts)
		fmt.Fprintf(&b, "\nEntry %d, hash\n", i+1)
		writeHex(&b, part{before, "SHA-256 of the above"})
		b.WriteString("\n")
	}
	if !bytes.Equal(before, head.Hash[:]) {
		t.Error("the document's hash is not the program's")
	}

	const path = "../docs/format.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("<!-- audit-example:begin -->\n```text\n" + strings.TrimSuffix(b.String(), "\n") + "```\n<!-- audit-example:end -->")
	block := regexp.MustCompile("(?s)<!-- audit-example:begin -->\n.*?<!-- audit-example:end -->")
	if !block.Match(doc) {
		t.Fatal("docs/format.md has no place for the example")
	}
	if *updateDocs {
		if err := os.WriteFile(path, block.ReplaceAllLiteral(doc, want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(block.Find(doc), want) {
		t.Errorf("the worked example in docs/format.md is not\n%s", want)
	}
}

func writeHex(b *strings.Builder, p part) {
	for len(p.bytes) > 16 {
		fmt.Fprintf(b, "  % x\n", p.bytes[:16])
		p.bytes = p.bytes[16:]
	}
	fmt.Fprintf(b, "  %-48s %s\n", fmt.Sprintf("% x", p.bytes), p.what)
}
