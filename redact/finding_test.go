package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestFindingsCountEachKeyByForm(t *testing.T) {
	const (
		token  = "tok-<\"a&b'c d$e>\a"
		secret = "line one is long\nline two is too\n"
		dsn    = "postgres://app:p%40ssw0rd-1@db/app"
	)
	quoted, _ := json.Marshal(token)
	set := Compile([]Needle{
		{"TOKEN", NewValue(token)}, {"FILE", NewValue(secret)}, {"DSN", NewValue(dsn)}, {"UNUSED", NewValue("never-printed")},
	})
	text := strings.Join([]string{
		token, token, string(quoted), fmt.Sprintf("%+q", token), "'" + strings.ReplaceAll(token, "'", `'\''`) + "'",
		url.QueryEscape(token), html.EscapeString(token), strings.ReplaceAll(token, "$", "$$"),
		hex.EncodeToString([]byte(token)), base64.StdEncoding.EncodeToString([]byte("x" + token)),
		strings.ReplaceAll(secret, "\n", "\r\n"), "line two is too", dsn, "p@ssw0rd-1",
	}, "\n--\n")
	want := []Finding{
		{"DSN", FormPassword, 1}, {"DSN", FormRaw, 1},
		{"FILE", FormLine, 1}, {"FILE", FormLineBreaks, 1},
		{"TOKEN", FormBase64, 1}, {"TOKEN", FormDoubled, 1}, {"TOKEN", FormGo, 1}, {"TOKEN", FormHex, 1}, {"TOKEN", FormJSON, 1},
		{"TOKEN", FormMarkup, 1}, {"TOKEN", FormRaw, 2}, {"TOKEN", FormShell, 1}, {"TOKEN", FormURL, 1},
	}
	for _, size := range []int{1, 7, len(text)} {
		w := set.NewWriter(io.Discard)
		for at := 0; at < len(text); at += size {
			if _, err := io.WriteString(w, text[at:min(at+size, len(text))]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := w.Findings(); !reflect.DeepEqual(got, want) {
			t.Errorf("in writes of %d:\n%v, not\n%v", size, got, want)
		}
		sent, err := json.Marshal(w.Findings())
		if err != nil || bytes.Contains(sent, []byte("tok-")) || bytes.Contains(sent, []byte("ssw0rd")) {
			t.Errorf("%v: %s", err, sent)
		}
	}
}

func TestFindingsOfSeveralStreamsAddUp(t *testing.T) {
	a := []Finding{{"A", FormHex, 1}, {"B", FormRaw, 2}}
	b := []Finding{{"A", FormRaw, 5}, {"B", FormRaw, 3}}
	want := []Finding{{"A", FormHex, 1}, {"A", FormRaw, 5}, {"B", FormRaw, 5}}
	if got := MergeFindings(a, b, nil); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if a[1].Count != 2 {
		t.Error("the lists that were given have changed")
	}
}
