package handlers

import (
	"net/http"
)

// issuerKept is for how long others keep what the issuer says. A key is published
// for far longer before it signs.
const issuerKept = "public, max-age=900"

// issuerMetadata is where verifiers of what this server signs begin.
func (s *server) issuerMetadata(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", issuerKept)
	return writeJSON(w, http.StatusOK, s.Issuer.Metadata())
}

// issuerKeys are the public keys. That there are none yet is kept by nobody.
func (s *server) issuerKeys(w http.ResponseWriter, r *http.Request) error {
	set, _, err := s.Issuer.Published(r.Context())
	if err != nil {
		return err
	}
	if len(set.Keys) > 0 {
		w.Header().Set("Cache-Control", issuerKept)
	}
	return writeJSON(w, http.StatusOK, set)
}
