package backup_test

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"infsh/backup"
)

// fakeKEK seals with an HMAC under its text.
type fakeKEK string

var errWrong = errors.New("wrong KEK")

func (k fakeKEK) mac(what, store string, data []byte) []byte {
	m := hmac.New(sha256.New, []byte(k))
	m.Write([]byte(what + "\x00" + store + "\x00"))
	m.Write(data)
	return m.Sum(nil)
}

func (k fakeKEK) VerifyCheck(store string, check []byte) error {
	if !hmac.Equal(check, k.mac("check", store, nil)) {
		return errWrong
	}
	return nil
}

func (k fakeKEK) SealBackup(store string, digest []byte) ([]byte, error) {
	return k.mac("backup", store, digest), nil
}

func (k fakeKEK) VerifyBackup(store string, digest, seal []byte) error {
	if !hmac.Equal(seal, k.mac("backup", store, digest)) {
		return errWrong
	}
	return nil
}

const kek = fakeKEK("the right one")

func header(k fakeKEK) backup.Header {
	return backup.Header{
		CreatedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Program: "v1", Schema: 1,
		Store: backup.Store{ID: "store", KEKID: "kek-1", KEKCheck: k.mac("check", "store", nil)},
	}
}

var things = backup.Table{Name: "things", Columns: []backup.Column{{Name: "id", Type: backup.Text}, {Name: "n", Type: backup.Integer}, {Name: "b", Type: backup.Bytes}}}

var rows = [][]any{
	{"plain", int64(1), []byte("bytes")},
	{"quotes \" and \\ and \n and \x00 and \u2028 <&>", int64(math.MaxInt64), []byte{}},
	{"", int64(math.MinInt64), []byte{0, 0xff}},
	{"not UTF-8: \xff\xfe", int64(0), nil},
	{nil, nil, nil},
}

func write(t testing.TB, k fakeKEK, h backup.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Table(things); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Row(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Table(backup.Table{Name: "empty", Columns: things.Columns}); err != nil {
		t.Fatal(err)
	}
	counts, err := w.Close(k)
	if err != nil {
		t.Fatal(err)
	}
	if counts["things"] != int64(len(rows)) {
		t.Errorf("counts %v", counts)
	}
	return out.Bytes()
}

// readAll reads a file as a restore does, to its end.
func readAll(file []byte) (backup.Header, [][]any, error) {
	r, err := backup.NewReader(bytes.NewReader(file))
	if err != nil {
		return backup.Header{}, nil, err
	}
	var all [][]any
	for {
		_, row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Header, all, nil
		}
		if err != nil {
			return r.Header, all, err
		}
		all = append(all, row)
	}
}

// What is written comes back, value for value.
func TestRoundTrip(t *testing.T) {
	file := write(t, kek, header(kek))
	verified, err := backup.Verify(bytes.NewReader(file), kek)
	if err != nil {
		t.Fatal(err)
	}
	if verified.Counts["things"] != int64(len(rows)) || verified.Counts.String() != "things 5" {
		t.Errorf("counts %v", verified.Counts)
	}
	got, all, err := readAll(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(all, rows) {
		t.Errorf("rows %#v", all)
	}
	want := header(kek)
	want.Format, want.Version = backup.Format, backup.FormatVersion
	if !reflect.DeepEqual(got, want) {
		t.Errorf("header %+v", got)
	}
}

// Every truncation is found, and so is every changed byte.
func TestDamageIsFound(t *testing.T) {
	file := write(t, kek, header(kek))
	for n := range file {
		if _, err := backup.Verify(bytes.NewReader(file[:n]), kek); err == nil {
			t.Fatalf("a file cut off after %d of %d bytes was accepted", n, len(file))
		}
	}
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 0x10
		// A few bytes of gzip's own header mean nothing: the time, the
		// operating system. The content is then the same.
		if _, err := backup.Verify(bytes.NewReader(changed), kek); err == nil && !bytes.Equal(unzip(t, changed), unzip(t, file)) {
			t.Fatalf("a change of byte %d was accepted", i)
		}
	}
	for name, tail := range map[string][]byte{"a byte": {0}, "another file": file} {
		if _, err := backup.Verify(bytes.NewReader(append(bytes.Clone(file), tail...)), kek); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%s at the end: %v", name, err)
		}
	}
}

// Any change of the lines is found, however well the file is packed again.
func TestChangedLinesAreFound(t *testing.T) {
	lines := strings.SplitAfter(string(unzip(t, write(t, kek, header(kek)))), "\n")
	lines = lines[:len(lines)-1]
	last := len(lines) - 1
	for name, change := range map[string]func([]string) []string{
		"a row is missing":         func(l []string) []string { return append(l[:2], l[3:]...) },
		"a row comes twice":        func(l []string) []string { return append(l[:3], l[2:]...) },
		"two rows are swapped":     func(l []string) []string { l[2], l[3] = l[3], l[2]; return l },
		"a row is changed":         func(l []string) []string { l[2] = strings.Replace(l[2], "plain", "plein", 1); return l },
		"no last line":             func(l []string) []string { return l[:last] },
		"the last line comes soon": func(l []string) []string { return append(l[:2], l[last]) },
		"a row after the last":     func(l []string) []string { return append(l, l[2]) },
		"a row before its table":   func(l []string) []string { return append([]string{l[0], l[2]}, l[3:]...) },
		"a table comes twice":      func(l []string) []string { return append(l[:last], l[1], l[last]) },
		"an unknown line":          func(l []string) []string { l[1] = `{"index":"things"}` + "\n"; return l },
		"too many tables": func(l []string) []string {
			for i := range backup.MaxTables {
				l = append(l[:len(l)-1], fmt.Sprintf(`{"table":"t%d","columns":[{"name":"c","type":"text"}]}`+"\n", i), lines[last])
			}
			return l
		},
		"an unknown type": func(l []string) []string { l[1] = strings.Replace(l[1], "integer", "float", 1); return l },
		"an empty line":   func(l []string) []string { l[2] = "\n"; return l },
		"other counts":    func(l []string) []string { l[last] = strings.Replace(l[last], `"things":5`, `"things":4`, 1); return l },
	} {
		got := change(append([]string{}, lines...))
		if _, err := backup.Verify(bytes.NewReader(zip(t, strings.Join(got, ""))), kek); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file that someone else made, with a digest that is right, is refused: only
// a holder of the KEK makes backups.
func TestForgeryIsRefused(t *testing.T) {
	forged := write(t, fakeKEK("the forger's"), header(kek))
	if _, err := backup.Verify(bytes.NewReader(forged), kek); !errors.Is(err, errWrong) {
		t.Errorf("a forged backup: %v", err)
	}
}

// The wrong KEK is told by the first line alone.
func TestWrongKEK(t *testing.T) {
	file := write(t, kek, header(kek))
	_, err := backup.Verify(bytes.NewReader(file), fakeKEK("another"))
	if !errors.Is(err, errWrong) || !strings.Contains(err.Error(), "kek-1") {
		t.Errorf("the wrong KEK: %v", err)
	}
}

// A backup of a store in which one KEK is just replacing another needs both.
func TestBackupDuringARotation(t *testing.T) {
	h := header(kek)
	h.Store.OldKEKID, h.Store.OldKEKCheck = "kek-0", fakeKEK("the old one").mac("check", "store", nil)
	file := write(t, kek, h)
	_, err := backup.Verify(bytes.NewReader(file), kek)
	if !errors.Is(err, errWrong) || !strings.Contains(err.Error(), "kek-0") {
		t.Errorf("the new KEK alone: %v", err)
	}
	if _, err := backup.Verify(bytes.NewReader(file), both{kek, "the old one"}); err != nil {
		t.Errorf("both: %v", err)
	}
}

type both [2]fakeKEK

func (b both) VerifyCheck(store string, check []byte) error {
	if b[0].VerifyCheck(store, check) == nil {
		return nil
	}
	return b[1].VerifyCheck(store, check)
}

func (b both) VerifyBackup(store string, digest, seal []byte) error {
	return b[0].VerifyBackup(store, digest, seal)
}

// Other files, and those of a newer format, are told apart from damaged ones.
func TestOtherFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":        {nil, backup.ErrNotABackup},
		"text":           {[]byte("hello, world; this is no backup\n"), backup.ErrNotABackup},
		"another gzip":   {zip(t, "hello\n"), backup.ErrNotABackup},
		"other JSON":     {zip(t, `{"format":"other","version":1}`+"\n"), backup.ErrNotABackup},
		"a newer format": {zip(t, `{"format":"infsh-backup","version":2,"new":[]}`+"\n…"), backup.ErrTooNew},
		"no header":      {zip(t, `{"format":"infsh-backup","version":1,"new":[]}`+"\n"), backup.ErrDamaged},
		"one long line":  {zip(t, strings.Repeat("a", backup.MaxLine+1)), backup.ErrDamaged},
	} {
		if _, err := backup.Verify(bytes.NewReader(tc.file), kek); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A disk that fails is not taken for a damaged file.
func TestReadErrorsStay(t *testing.T) {
	file := write(t, kek, header(kek))
	broken := errors.New("input/output error")
	for _, n := range []int{0, 5, len(file) / 2} {
		r := io.MultiReader(bytes.NewReader(file[:n]), failing{broken})
		if _, err := backup.Verify(r, kek); !errors.Is(err, broken) || errors.Is(err, backup.ErrDamaged) {
			t.Errorf("a disk that fails after %d bytes: %v", n, err)
		}
	}
}

// A full disk is an error, at the latest when the backup is closed.
func TestWriteErrorsAreReported(t *testing.T) {
	full := errors.New("no space left on device")
	w, err := backup.NewWriter(failing{full}, header(kek))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(kek); !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
}

// A row that could not be restored is refused when the backup is made.
func TestRowsThatDoNotFit(t *testing.T) {
	w, err := backup.NewWriter(io.Discard, header(kek))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Table(things); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string][]any{
		"too few values": {"a"},
		"another type":   {"a", "b", []byte{}},
		"a float":        {"a", 1.5, []byte{}},
		"too long":       {strings.Repeat("a", backup.MaxLine), int64(1), nil},
	} {
		if err := w.Row(row); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

func zip(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unzip(t testing.TB, file []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever a file holds, reading it does not panic, and gives no value of a
// type that a database would not take.
func FuzzReader(f *testing.F) {
	whole := string(unzip(f, write(f, kek, header(kek))))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(strings.Replace(whole, `"plain"`, `{"base64":"AA=="}`, 1))
	f.Add(strings.Replace(whole, "9223372036854775807", "1e400", 1))
	f.Add(`{"format":"infsh-backup","version":1}` + "\n[]\n")
	f.Add("{}\n")
	f.Fuzz(func(t *testing.T, text string) {
		// The digest would keep the fuzzer from the rows, so it is made right.
		_, all, err := readAll(zip(t, sealed(text)))
		if err != nil {
			return
		}
		for _, row := range all {
			for _, v := range row {
				switch v.(type) {
				case nil, int64, string, []byte:
				default:
					t.Errorf("a value is a %T", v)
				}
			}
		}
	})
}

// sealed replaces the digest in the last line of a text, if there is one, by
// the right one.
func sealed(text string) string {
	i := strings.LastIndex(text, `{"end":`)
	if i < 0 {
		return text
	}
	digest := sha256.Sum256([]byte(text[:i]))
	const field = `"sha256":"`
	j := strings.Index(text[i:], field)
	if j < 0 {
		return text
	}
	j += i + len(field)
	right := base64.StdEncoding.EncodeToString(digest[:])
	if len(text) < j+len(right) {
		return text
	}
	return text[:j] + right + text[j+len(right):]
}
