package federation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxKeys is how many a set has, usable or not.
	maxKeys = 50
	// maxNameless is how many of them may have no kid: each is tried.
	maxNameless = 3
	// minRSA and maxRSA are in bits. The library reads no longer ones.
	minRSA, maxRSA = 2048, 4096
)

// publicKey is what is kept of a published key.
type publicKey struct {
	key           crypto.PublicKey
	id, algorithm string
}

// publishedKey has the members of a JSON Web Key that are read (RFC 7518, section
// 6). Certificates are not: they would be kept in memory for nothing.
type publishedKey struct {
	Type      string `json:"kty"`
	Use       string `json:"use,omitempty"`
	ID        string `json:"kid,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	Curve     string `json:"crv,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
}

// secretParts are the members that no public key has.
type secretParts struct {
	D, P, Q, DP, DQ, QI, Oth, K json.RawMessage
}

func (s secretParts) any() bool {
	return slices.ContainsFunc([]json.RawMessage{s.D, s.P, s.Q, s.DP, s.DQ, s.QI, s.Oth, s.K}, func(m json.RawMessage) bool { return m != nil })
}

var (
	errNoKeys    = errors.New("it has no keys that can be used")
	errManyKeys  = errors.New("it has more than fifty keys")
	errAmbiguous = errors.New("several of its keys have the same kid, or more than three have none")
)

// parseKeys reads a set of keys (RFC 7517, section 5), of which it keeps those
// that verify signatures. A set in which a token could be of many keys is refused:
// each would have to be tried, for whoever sends something.
func parseKeys(body []byte) ([]publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil {
		return nil, errNonsense
	}
	if len(set.Keys) > maxKeys {
		return nil, errManyKeys
	}
	var all []publicKey
	nameless := 0
	for _, raw := range set.Keys {
		// A key of a kind that is not known is no reason to do without the others.
		k, ok := parseKey(raw)
		if !ok || slices.ContainsFunc(all, k.equals) {
			continue
		}
		if k.id == "" {
			nameless++
		}
		if nameless > maxNameless || k.id != "" && slices.ContainsFunc(all, k.resembles) {
			return nil, errAmbiguous
		}
		all = append(all, k)
	}
	if len(all) == 0 {
		return nil, errNoKeys
	}
	return all, nil
}

func parseKey(raw json.RawMessage) (publicKey, bool) {
	var members publishedKey
	var secret secretParts
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(raw, &secret) != nil || secret.any() || members.Use != "" && members.Use != "sig" {
		return publicKey{}, false
	}
	text, err := json.Marshal(members)
	if err != nil {
		return publicKey{}, false
	}
	var k jose.JSONWebKey
	if k.UnmarshalJSON(text) != nil || !k.IsPublic() || !k.Valid() {
		return publicKey{}, false
	}
	// Another exponent makes a signature costlier to verify, and nobody has one.
	if key, ok := k.Key.(*rsa.PublicKey); ok && (key.N.BitLen() < minRSA || key.N.BitLen() > maxRSA || key.E != 3 && key.E != 65537) {
		return publicKey{}, false
	}
	out := publicKey{key: k.Key, id: k.KeyID, algorithm: k.Algorithm}
	return out, out.kind() != ""
}

// kind is what decides, beside the algorithm that a key may name, which tokens it
// could have signed.
func (k publicKey) kind() string {
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return "RSA"
	case *ecdsa.PublicKey:
		return key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return ""
}

// resembles reports whether a token could be of both keys.
func (k publicKey) resembles(other publicKey) bool {
	return k.id == other.id && k.kind() == other.kind() && (k.algorithm == other.algorithm || k.algorithm == "" || other.algorithm == "")
}

func (k publicKey) equals(other publicKey) bool {
	same, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.id == other.id && k.algorithm == other.algorithm && same.Equal(other.key)
}

// hasPrivateKey reports whether a set of keys has more than public ones.
func hasPrivateKey(text string) bool {
	var set struct {
		Keys []secretParts `json:"keys"`
	}
	return json.Unmarshal([]byte(text), &set) == nil && slices.ContainsFunc(set.Keys, secretParts.any)
}
