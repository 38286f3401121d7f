package envelope

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
)

// Security case C4: the cipher, as this package sets it up, agrees with every
// Wycheproof vector for AES-256-GCM with 96-bit nonces and 128-bit tags.
func TestWycheproofAESGCM(t *testing.T) {
	data, err := fs.ReadFile(wycheproof.TestVectors, "aes_gcm_test.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			IVSize, KeySize, TagSize int
			Tests                    []struct {
				TCID                       int
				Comment, Result            string
				Key, IV, AAD, Msg, CT, Tag string
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	decode := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	valid, invalid := 0, 0
	for _, group := range file.TestGroups {
		if group.KeySize != 256 || group.IVSize != 96 || group.TagSize != 128 {
			continue
		}
		for _, c := range group.Tests {
			h, err := keysetFromKey(decode(c.Key))
			if err != nil {
				t.Fatal(err)
			}
			primitive, err := openKeyset(h)
			if err != nil {
				t.Fatal(err)
			}
			keyID := insecurecleartextkeyset.KeysetMaterial(h).GetPrimaryKeyId()
			sealed := binary.BigEndian.AppendUint32([]byte{1}, keyID)
			sealed = append(append(append(sealed, decode(c.IV)...), decode(c.CT)...), decode(c.Tag)...)

			got, err := primitive.Decrypt(sealed, decode(c.AAD))
			switch c.Result {
			case "valid":
				valid++
				if err != nil || !bytes.Equal(got, decode(c.Msg)) {
					t.Errorf("test %d (%s): opened %x, %v; want %s", c.TCID, c.Comment, got, err, c.Msg)
				}
			case "invalid":
				invalid++
				if err == nil {
					t.Errorf("test %d (%s) opened", c.TCID, c.Comment)
				}
			default:
				t.Errorf("test %d has the result %q", c.TCID, c.Result)
			}
		}
	}
	if valid+invalid != 66 || valid == 0 || invalid == 0 {
		t.Errorf("%d valid and %d invalid vectors ran, want 66 of both kinds together", valid, invalid)
	}
}
