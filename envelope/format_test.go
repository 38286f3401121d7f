package envelope_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// This file reads the format with nothing but the standard library, byte by
// byte as docs/format.md describes it. It shares no code with the package, so
// that it proves the document and not the program.

var updateDocs = flag.Bool("update-docs", false, "write the worked example into docs/format.md")

// sealed is "Sealed form" of docs/format.md.
type sealed struct {
	prefix     byte
	keyID      uint32
	nonce      []byte
	ciphertext []byte
	tag        []byte
}

func parseSealed(t testing.TB, b []byte) sealed {
	t.Helper()
	if len(b) < 1+4+12+16 {
		t.Fatalf("%d bytes are too few for a sealed form", len(b))
	}
	s := sealed{b[0], binary.BigEndian.Uint32(b[1:5]), b[5:17], b[17 : len(b)-16], b[len(b)-16:]}
	if s.prefix != 0x01 {
		t.Fatalf("the first byte is %#02x, want 0x01", s.prefix)
	}
	return s
}

func (s sealed) open(key, associatedData []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, s.nonce, append(bytes.Clone(s.ciphertext), s.tag...), associatedData)
}

func sealByHand(t testing.TB, key []byte, keyID uint32, plaintext, associatedData []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 12) // each test key seals once
	b := binary.BigEndian.AppendUint32([]byte{0x01}, keyID)
	return gcm.Seal(append(b, nonce...), nonce, plaintext, associatedData)
}

// associatedDataByHand is "Associated data" of docs/format.md.
func associatedDataByHand(purpose, team, key string, version int64) []byte {
	b := []byte{'i', 'n', 'f', 's', 'h', 1}
	for _, s := range []string{purpose, team, key} {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(version))
}

// rawKey is one key of a keyset.
type rawKey struct {
	id    uint32
	bytes []byte
}

// kekByHand is "kek.json" of docs/format.md; it returns the primary key.
func kekByHand(t testing.TB, text []byte) rawKey {
	t.Helper()
	var ks struct {
		PrimaryKeyID uint32 `json:"primaryKeyId"`
		Key          []struct {
			KeyID   uint32 `json:"keyId"`
			KeyData struct {
				Value string `json:"value"`
			} `json:"keyData"`
		} `json:"key"`
	}
	if err := json.Unmarshal(text, &ks); err != nil {
		t.Fatal(err)
	}
	for _, k := range ks.Key {
		if k.KeyID == ks.PrimaryKeyID {
			value, err := base64.StdEncoding.DecodeString(k.KeyData.Value)
			if err != nil {
				t.Fatal(err)
			}
			return rawKey{k.KeyID, aesGCMKeyByHand(t, value)}
		}
	}
	t.Fatal("the keyset has no primary key")
	return rawKey{}
}

func aesGCMKeyByHand(t testing.TB, b []byte) []byte {
	t.Helper()
	if len(b) != 34 || b[0] != 0x1a || b[1] != 0x20 {
		t.Fatalf("an AesGcmKey of %d bytes that does not begin with 1a 20", len(b))
	}
	return b[2:]
}

// field is a field of a protocol buffer message, as far as keysets need them:
// wire types 0 (a number) and 2 (bytes).
type field struct {
	raw    []byte // tag and, for bytes, length
	number int
	varint uint64
	bytes  []byte
}

func protoFields(t testing.TB, b []byte) (fields []field) {
	t.Helper()
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		v, m := binary.Uvarint(b[max(n, 0):])
		if n <= 0 || m <= 0 {
			t.Fatal("a malformed protocol buffer")
		}
		f := field{raw: b[:n+m], number: int(tag >> 3), varint: v}
		b = b[n+m:]
		switch tag & 7 {
		case 0:
		case 2:
			if v > uint64(len(b)) {
				t.Fatal("a protocol buffer field that is longer than its message")
			}
			f.bytes, b = b[:v], b[v:]
		default:
			t.Fatalf("wire type %d in a keyset", tag&7)
		}
		fields = append(fields, f)
	}
	return fields
}

// dekByHand reads the keyset inside a wrapped DEK, of one key.
func dekByHand(t testing.TB, ks []byte) (k rawKey) {
	t.Helper()
	for _, f := range protoFields(t, ks) {
		if f.number != 2 {
			continue
		}
		for _, kf := range protoFields(t, f.bytes) {
			switch kf.number {
			case 1:
				for _, data := range protoFields(t, kf.bytes) {
					if data.number == 2 {
						k.bytes = aesGCMKeyByHand(t, data.bytes)
					}
				}
			case 3:
				k.id = uint32(kf.varint)
			}
		}
	}
	if k.bytes == nil {
		t.Fatal("the keyset has no key")
	}
	return k
}

func TestFormatIsReadableWithTheStandardLibraryAlone(t *testing.T) {
	v := loadVectors(t)
	kek := kekByHand(t, v.KEK)

	check := parseSealed(t, v.KEKCheck)
	if check.keyID != kek.id {
		t.Errorf("the KEK check names key %d, the KEK is %d", check.keyID, kek.id)
	}
	text, err := check.open(kek.bytes, associatedDataByHand("kek-check", "", v.StoreID, 0))
	if err != nil || string(text) != "infsh kek check" {
		t.Errorf("the KEK check holds %q, %v", text, err)
	}

	ks, err := parseSealed(t, v.WrappedDEK).open(kek.bytes, associatedDataByHand("dek", v.Team, "", 0))
	if err != nil {
		t.Fatalf("the wrapped DEK: %v", err)
	}
	dek := dekByHand(t, ks)

	for _, r := range v.Records {
		s := parseSealed(t, r.Sealed)
		if s.keyID != dek.id {
			t.Errorf("%s names key %d, the DEK is %d", r.Purpose, s.keyID, dek.id)
		}
		ad := associatedDataByHand(string(r.Purpose), v.Team, r.Key, r.Version)
		plaintext, err := s.open(dek.bytes, ad)
		if err != nil || string(plaintext) != r.Plaintext {
			t.Errorf("%s opens as %q, %v; want %q", r.Purpose, plaintext, err, r.Plaintext)
		}
		for bit := range len(ad) * 8 {
			flipped := bytes.Clone(ad)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, err := s.open(dek.bytes, flipped); err == nil {
				t.Errorf("%s: bit %d of the associated data is not bound", r.Purpose, bit)
			}
		}
	}
}

// What the standard library seals after the document, the package opens.
func TestFormatIsWritableWithTheStandardLibraryAlone(t *testing.T) {
	v := loadVectors(t)
	dek, err := kekFromText(t, string(v.KEK)).OpenDEK(v.Team, v.WrappedDEK)
	if err != nil {
		t.Fatal(err)
	}
	ks, err := parseSealed(t, v.WrappedDEK).open(kekByHand(t, v.KEK).bytes, associatedDataByHand("dek", v.Team, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	key := dekByHand(t, ks)
	r := v.Records[0]
	record := sealByHand(t, key.bytes, key.id, []byte("made by hand"), associatedDataByHand(string(r.Purpose), v.Team, r.Key, r.Version))
	if got, err := dek.Open(v.associatedData(r), record); err != nil || string(got) != "made by hand" {
		t.Errorf("opened %q, %v", got, err)
	}
}

// The worked example of the document is the known answers, laid out by this
// test. `go test ./envelope -run TestWorkedExample -update-docs` writes it.
func TestWorkedExampleInDocs(t *testing.T) {
	const path = "../docs/format.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)<!-- example:begin -->\n.*?<!-- example:end -->")
	if n := len(block.FindAll(doc, -1)); n != 1 {
		t.Fatalf("%s has %d example blocks, want 1", path, n)
	}
	want := []byte("<!-- example:begin -->\n```text\n" + workedExample(t) + "```\n<!-- example:end -->")
	if *updateDocs {
		if err := os.WriteFile(path, block.ReplaceAllLiteral(doc, want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(block.Find(doc), want) {
		t.Errorf("the worked example in %s differs from what the code makes:\n%s", path, want)
	}
}

func workedExample(t *testing.T) string {
	v := loadVectors(t)
	var out strings.Builder
	line := func(b []byte, meaning string, args ...any) {
		for len(b) > 16 {
			fmt.Fprintf(&out, "  % x\n", b[:16])
			b = b[16:]
		}
		fmt.Fprintf(&out, "  %-47s  %s\n", fmt.Sprintf("% x", b), fmt.Sprintf(meaning, args...))
	}
	title := func(text string, args ...any) {
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintf(&out, text+"\n", args...)
	}
	associated := func(purpose, team, key string, version int64) []byte {
		b := associatedDataByHand(purpose, team, key, version)
		rest := b
		take := func(n int) (head []byte) { head, rest = rest[:n], rest[n:]; return head }
		line(take(6), `"infsh", encoding version 1`)
		for _, f := range []struct{ name, value string }{{"purpose", purpose}, {"team", team}, {"key", key}} {
			line(take(8), "length of %s: %d", f.name, len(f.value))
			if f.value != "" {
				line(take(len(f.value)), "%q", f.value)
			}
		}
		line(take(8), "version %d", version)
		return b
	}
	sealedForm := func(b []byte) {
		s := parseSealed(t, b)
		line(b[:1], "prefix: Tink")
		line(b[1:5], "key id %d", s.keyID)
		line(s.nonce, "nonce")
		line(s.ciphertext, "ciphertext, %d bytes", len(s.ciphertext))
		line(s.tag, "tag")
	}

	kek := kekByHand(t, v.KEK)
	title("KEK: key %d, fingerprint %s", kek.id, v.KEKID)
	line(kek.bytes, "key")

	title("KEK check: associated data")
	ad := associated("kek-check", "", v.StoreID, 0)
	title("KEK check: stored, %d bytes", len(v.KEKCheck))
	sealedForm(v.KEKCheck)
	check, err := parseSealed(t, v.KEKCheck).open(kek.bytes, ad)
	if err != nil {
		t.Fatal(err)
	}
	title("KEK check: opened with the KEK")
	line(check, "%q", check)

	title("Wrapped DEK: associated data")
	ad = associated("dek", v.Team, "", 0)
	title("Wrapped DEK: stored, %d bytes", len(v.WrappedDEK))
	sealedForm(v.WrappedDEK)
	ks, err := parseSealed(t, v.WrappedDEK).open(kek.bytes, ad)
	if err != nil {
		t.Fatal(err)
	}
	title("Wrapped DEK: opened with the KEK, a Keyset")
	for _, f := range protoFields(t, ks) {
		if f.bytes == nil {
			line(f.raw, "primary_key_id %d", f.varint)
			continue
		}
		line(f.raw, "key, %d bytes:", len(f.bytes))
		for _, kf := range protoFields(t, f.bytes) {
			if kf.bytes == nil {
				line(kf.raw, "  %s %d", map[int]string{2: "status", 3: "key_id", 4: "output_prefix_type"}[kf.number], kf.varint)
				continue
			}
			line(kf.raw, "  key_data, %d bytes:", len(kf.bytes))
			for _, data := range protoFields(t, kf.bytes) {
				switch data.number {
				case 1:
					line(data.raw, "    type_url, %d bytes:", len(data.bytes))
					line(data.bytes, "    %q", data.bytes)
				case 2:
					line(data.raw, "    value, %d bytes: an AesGcmKey", len(data.bytes))
					line(data.bytes[:2], "      key_value, %d bytes:", len(data.bytes)-2)
					line(data.bytes[2:], "      the data encryption key")
				case 3:
					line(data.raw, "    key_material_type %d", data.varint)
				}
			}
		}
	}

	dek := dekByHand(t, ks)
	for _, r := range v.Records[:2] {
		title("Record %s: associated data", r.Purpose)
		ad = associated(string(r.Purpose), v.Team, r.Key, r.Version)
		title("Record %s: stored, %d bytes", r.Purpose, len(r.Sealed))
		sealedForm(r.Sealed)
		plaintext, err := parseSealed(t, r.Sealed).open(dek.bytes, ad)
		if err != nil {
			t.Fatal(err)
		}
		title("Record %s: opened with the DEK, %d bytes", r.Purpose, len(plaintext))
		line(plaintext, "%q", plaintext)
	}
	return out.String()
}
