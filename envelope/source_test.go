//go:build unix

package envelope_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"infsh/envelope"
)

// badKEK is a content that no source may hold, and why.
type badKEK struct{ content, reason string }

func badKEKs(t testing.TB) map[string]badKEK {
	var compact bytes.Buffer
	if err := json.Compact(&compact, loadVectors(t).KEK); err != nil {
		t.Fatal(err)
	}
	good := compact.String()
	key := kekByHand(t, compact.Bytes())
	value := func(key []byte) string {
		return base64.StdEncoding.EncodeToString(append([]byte{0x1a, byte(len(key))}, key...))
	}
	replace := func(old, replacement string) string {
		changed := strings.Replace(good, old, replacement, 1)
		if changed == good {
			t.Fatalf("%q is not in the keyset", old)
		}
		return changed
	}
	withKey := func(other []byte) string { return replace(value(key.bytes), value(other)) }
	const notJSON, notValid, notAES256 = "no Tink keyset in JSON", "no valid Tink keyset", "other than AES-256-GCM"
	return map[string]badKEK{
		"empty":                    {"", "is empty"},
		"white space":              {" \n", "is empty"},
		"garbage":                  {"correct horse battery staple, long enough to be a password", ""},
		"binary garbage":           {"\x00\xff\xfe\x80 not a key at all \x00", ""},
		"an empty object":          {"{}", notValid},
		"no keys":                  {`{"primaryKeyId":1,"key":[]}`, notValid},
		"other JSON":               {`{"password":"correct horse battery staple"}`, notJSON},
		"truncated by one":         {good[:len(good)-1], notJSON},
		"truncated in the key":     {good[:strings.Index(good, value(key.bytes))+10], notJSON},
		"an empty key":             {withKey(nil), notValid},
		"a key of 31 bytes":        {withKey(key.bytes[:31]), notValid},
		"an AES-128 key":           {withKey(key.bytes[:16]), notAES256},
		"a placeholder of zeros":   {withKey(make([]byte, 32)), "placeholder"},
		"not base64 in the keyset": {replace(value(key.bytes), "!!"+value(key.bytes)[2:]), notJSON},
		"another type_url":         {replace("tink.AesGcmKey", "tink.AesGcmSivKey"), notAES256},
		"an unknown type_url":      {replace("type.googleapis.com", "type.example.com"), notAES256},
		"primary key disabled":     {replace("ENABLED", "DISABLED"), notValid},
		"no such primary key":      {replace(fmt.Sprintf(`"primaryKeyId":%d`, key.id), `"primaryKeyId":1`), notValid},
		"the same key twice":       {replace(`"key":[`, `"key":[`+good[strings.Index(good, `[`)+1:len(good)-2]+","), notValid},
		"raw output prefix":        {replace("TINK", "RAW"), notAES256},
		"public key material":      {replace("SYMMETRIC", "ASYMMETRIC_PUBLIC"), notValid},
		"two keysets":              {good + good, notJSON},
		"larger than 64 KiB":       {"{" + strings.Repeat(" ", 1<<16) + good[1:], "more than 65536 bytes"},
	}
}

func wantKEKError(t *testing.T, err, kind error, source string) {
	t.Helper()
	var typed *envelope.KEKError
	if !errors.Is(err, kind) || !errors.As(err, &typed) {
		t.Errorf("%v; want a KEKError that is %q", err, kind)
		return
	}
	if !strings.Contains(err.Error(), source) {
		t.Errorf("%q does not name its source %s", err, source)
	}
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	if err != nil && !strings.Contains(err.Error(), reason) {
		t.Errorf("%q does not say %q", err, reason)
	}
}

// wantNotQuoted fails where any 12 bytes in a row of the content are in the error.
func wantNotQuoted(t *testing.T, err error, content string) {
	t.Helper()
	for i := 0; i+12 <= len(content); i++ {
		if part := content[i : i+12]; strings.TrimSpace(part) != "" && strings.Contains(err.Error(), part) {
			t.Errorf("%q quotes %q of the content", err, part)
			return
		}
	}
}

// Security case C5: no proper key, no start.
func TestOpenKEKRefusesBadContent(t *testing.T) {
	for name, bad := range badKEKs(t) {
		t.Run(name, func(t *testing.T) {
			content := bad.content
			path := filepath.Join(t.TempDir(), "kek.json")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			kek, err := envelope.OpenKEK("file:"+path, noEnvironment)
			wantKEKError(t, err, envelope.ErrKEKInvalid, path)
			wantReason(t, err, bad.reason)
			if kek != nil {
				t.Error("a KEK was returned with the error")
			}
			wantNotQuoted(t, err, content)
			if after, err := os.ReadFile(path); err != nil || string(after) != content {
				t.Errorf("the file was changed: %v", err)
			}

			kek, err = envelope.OpenKEK("env:MY_KEK", environment("MY_KEK", content))
			wantKEKError(t, err, envelope.ErrKEKInvalid, "MY_KEK")
			wantReason(t, err, bad.reason)
			if kek != nil {
				t.Error("a KEK was returned with the error")
			}
			wantNotQuoted(t, err, content)
		})
	}
}

func TestOpenKEKFromBase64(t *testing.T) {
	key := append([]byte{0xfb, 0xff}, randomKey(t)[2:]...) // makes + and / or - and _
	forms := map[string]string{
		"standard":           base64.StdEncoding.EncodeToString(key),
		"standard, unpadded": base64.RawStdEncoding.EncodeToString(key),
		"URL-safe":           base64.URLEncoding.EncodeToString(key),
		"URL-safe, unpadded": base64.RawURLEncoding.EncodeToString(key),
		"with a line break":  base64.StdEncoding.EncodeToString(key) + "\n",
	}
	first := kekFromText(t, forms["standard"])
	wrapped, err := first.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range forms {
		kek := kekFromText(t, text)
		if kek.ID() != first.ID() {
			t.Errorf("%s: ID %s, want %s", name, kek.ID(), first.ID())
		}
		if _, err := kek.OpenDEK("team-a", wrapped); err != nil {
			t.Errorf("%s: the key id is not stable: %v", name, err)
		}
	}
	// The key is used as it is, and the key id is derived as documented.
	if ks, err := parseSealed(t, wrapped).open(key, associatedDataByHand("dek", "team-a", "", 0)); err != nil || len(ks) == 0 {
		t.Errorf("the wrapped DEK does not open with the 32 bytes: %v", err)
	}

	bad := map[string]string{
		"31 bytes":            base64.StdEncoding.EncodeToString(key[:31]),
		"33 bytes":            base64.StdEncoding.EncodeToString(append([]byte{1}, key...)),
		"16 bytes":            base64.StdEncoding.EncodeToString(key[:16]),
		"hexadecimal":         hex.EncodeToString(key),
		"raw bytes":           string(key),
		"zeros":               base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"both alphabets":      "+-" + base64.RawStdEncoding.EncodeToString(key)[2:],
		"padding inside":      forms["standard, unpadded"][:20] + "=" + forms["standard, unpadded"][20:],
		"too much padding":    forms["standard"] + "====",
		"a line break inside": forms["standard"][:20] + "\n" + forms["standard"][20:],
		"bits after the end":  forms["standard, unpadded"][:42] + "/",
	}
	for name, text := range bad {
		_, err := envelope.OpenKEK("env:MY_KEK", environment("MY_KEK", text))
		wantKEKError(t, err, envelope.ErrKEKInvalid, "MY_KEK")
		if err != nil && !strings.Contains(err.Error(), "openssl rand -base64 32") {
			t.Errorf("%s: %q does not say how to make a proper key", name, err)
		}
		wantNotQuoted(t, err, text)
	}
}

func TestOpenKEKFromJSONInEnvironment(t *testing.T) {
	kek, text := newKEK(t)
	if got := kekFromText(t, text); got.ID() != kek.ID() {
		t.Errorf("the variable holds %s, the file %s", got.ID(), kek.ID())
	}
}

func TestOpenKEKSaysWhatIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "kek.json")
	_, err := envelope.OpenKEK("file:"+path, noEnvironment)
	wantKEKError(t, err, envelope.ErrKEKMissing, path)
	_, err = envelope.OpenKEK("env:MY_KEK", noEnvironment)
	wantKEKError(t, err, envelope.ErrKEKMissing, "MY_KEK")
}

// Someone who gives the key itself as the URI must not find it in a log.
func TestOpenKEKDoesNotQuoteAnUnknownURI(t *testing.T) {
	_, keyset := newKEK(t)
	for _, uri := range []string{
		"", "file:", "env:", "kek.json", "vault:secret/kek", "env:NOT A NAME", "FILE:/tmp/kek.json", keyset,
		"env:" + base64.StdEncoding.EncodeToString(randomKey(t)), base64.StdEncoding.EncodeToString(randomKey(t)),
	} {
		kek, err := envelope.OpenKEK(uri, environment(strings.TrimPrefix(uri, "env:"), "x"))
		if kek != nil || !errors.Is(err, envelope.ErrKEKInvalid) || !strings.Contains(err.Error(), "file:PATH or env:NAME") {
			t.Errorf("%q: %v", uri, err)
		}
		if len(uri) > 5 && strings.Contains(err.Error(), uri) {
			t.Errorf("%q quotes the URI", err)
		}
	}
}

// Security case C5: a key that others can read, or that others can put in
// place, is refused.
func TestOpenKEKRefusesAnOpenFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kek.json")
	if _, err := envelope.CreateKEKFile(path); err != nil {
		t.Fatal(err)
	}
	for mode := range fs.FileMode(0o1000) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		switch _, err := envelope.OpenKEK("file:"+path, noEnvironment); {
		case mode == 0o600 || mode == 0o400:
			if err != nil {
				t.Errorf("mode %04o: %v", mode, err)
			}
		case mode&^0o600 != 0:
			wantKEKError(t, err, envelope.ErrKEKInvalid, path)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}

	link := filepath.Join(dir, "link.json")
	dangling := filepath.Join(dir, "dangling.json")
	pipe := filepath.Join(dir, "pipe")
	err := errors.Join(os.Symlink(path, link), os.Symlink(filepath.Join(dir, "none"), dangling), syscall.Mkfifo(pipe, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	refused := []string{link, dangling, pipe, dir, "/dev/null", filepath.Join(path, "below")}
	if os.Geteuid() == 0 { // only root can give a file away
		foreign := filepath.Join(dir, "foreign.json")
		if _, err := envelope.CreateKEKFile(foreign); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(foreign, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		refused = append(refused, foreign)
	}
	for _, path := range refused {
		_, err := envelope.OpenKEK("file:"+path, noEnvironment)
		wantKEKError(t, err, envelope.ErrKEKInvalid, path)
	}
}

func TestCreateKEKFile(t *testing.T) {
	// Neither a umask that allows everything nor one that forbids everything
	// changes the mode.
	for _, mask := range []int{0o000, 0o022, 0o777} {
		path := filepath.Join(t.TempDir(), "kek.json")
		old := syscall.Umask(mask)
		kek, err := envelope.CreateKEKFile(path)
		syscall.Umask(old)
		if err != nil {
			t.Fatalf("umask %03o: %v", mask, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("umask %03o: mode %v, want 0600", mask, info.Mode())
		}
		again, err := envelope.OpenKEK("file:"+path, noEnvironment)
		if err != nil {
			t.Fatal(err)
		}
		if again.ID() != kek.ID() {
			t.Errorf("opened %s, made %s", again.ID(), kek.ID())
		}
	}
}

func TestCreateKEKFileNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	file, empty, dangling := filepath.Join(dir, "kek.json"), filepath.Join(dir, "empty"), filepath.Join(dir, "dangling")
	target := filepath.Join(dir, "target")
	err := errors.Join(os.WriteFile(file, []byte("precious"), 0o600), os.WriteFile(empty, nil, 0o600), os.Symlink(target, dangling))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, empty, dangling, dir} {
		if kek, err := envelope.CreateKEKFile(path); kek != nil || !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v, want fs.ErrExist", path, err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "precious" {
		t.Errorf("the file now holds %q, %v", data, err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link was followed: %v", err)
	}
	if kek, err := envelope.CreateKEKFile(filepath.Join(dir, "none", "kek.json")); kek != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that does not exist: %v", err)
	}
}

func TestKEKIDsTellKeysApart(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		kek, text := newKEK(t)
		key := kekByHand(t, []byte(text)).bytes
		if len(kek.ID()) != len("kek-")+16 || strings.Contains(hex.EncodeToString(key), strings.TrimPrefix(kek.ID(), "kek-")) {
			t.Fatalf("ID %s", kek.ID())
		}
		seen[kek.ID()] = true
	}
	if len(seen) != 50 {
		t.Errorf("50 keys have %d IDs", len(seen))
	}
}

func FuzzOpenKEK(f *testing.F) {
	for _, bad := range badKEKs(f) {
		f.Add([]byte(bad.content))
	}
	good := loadVectors(f).KEK
	f.Add([]byte(good))
	f.Add([]byte(base64.StdEncoding.EncodeToString(kekByHand(f, good).bytes)))
	f.Fuzz(func(t *testing.T, content []byte) {
		kek, err := envelope.OpenKEK("env:MY_KEK", environment("MY_KEK", string(content)))
		if err != nil {
			if kek != nil || !errors.Is(err, envelope.ErrKEKInvalid) {
				t.Fatalf("%v with %v", err, kek)
			}
			return
		}
		// What is admitted works, and opens as itself again.
		wrapped, err := kek.WrapNewDEK("team-a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kekFromText(t, string(content)).OpenDEK("team-a", wrapped); err != nil {
			t.Fatal(err)
		}
	})
}

func noEnvironment(string) (string, bool) { return "", false }

func environment(name, value string) func(string) (string, bool) {
	return func(wanted string) (string, bool) {
		if wanted != name {
			return "", false
		}
		return value, true
	}
}
