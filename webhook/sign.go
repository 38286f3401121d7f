package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"infsh/envelope"
	"infsh/redact"
)

// secretPrefix begins a signing secret, and signaturePrefix a signature of the
// symmetric kind, HMAC-SHA256.
const (
	secretPrefix    = "whsec_"
	signaturePrefix = "v1,"
	// secretBytes is between the 24 and 64 that the specification allows.
	secretBytes = 32
)

// newSecret makes a signing secret in the form in which it is shown.
func newSecret() redact.Value {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return redact.NewValue(secretPrefix + base64.StdEncoding.EncodeToString(b[:]))
}

// sign makes the header webhook-signature: one signature for each secret, so
// that a receiver that knows either one accepts the message.
func sign(secrets []redact.Value, id string, at time.Time, body []byte) (string, error) {
	signatures := make([]string, len(secrets))
	for i, s := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), secretPrefix))
		if err != nil {
			return "", errDamagedSecret
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures[i] = signaturePrefix + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " "), nil
}

// place is where a signing secret is sealed under the team's DEK.
func place(teamID, webhookID string, version int64) envelope.AssociatedData {
	return envelope.AssociatedData{Purpose: envelope.WebhookSecret, Team: teamID, Key: webhookID, Version: version}
}
