package handlers

import (
	"encoding/hex"
	"net/http"

	"infsh/api"
	"infsh/problem"
	"infsh/scan"
	"infsh/team"
)

// scanFingerprints tells what a search of files for the team's values needs.
func (s *server) scanFingerprints(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := noBody(r); err != nil {
		return err
	}
	prints, err := s.Secrets.Fingerprints(r.Context(), actor)
	if err != nil {
		return err
	}
	out := api.Fingerprints{Salt: hex.EncodeToString(prints.Key[:]), Fingerprints: []int64{}, Skipped: []string{}}
	for _, short := range prints.Shorts {
		out.Fingerprints = append(out.Fingerprints, int64(short))
	}
	for _, key := range prints.Skipped {
		out.Skipped = append(out.Skipped, string(key))
	}
	return writeJSON(w, http.StatusOK, out)
}

// scanCandidates tells which of the windows that a search met are of secrets.
func (s *server) scanCandidates(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.ScanCandidates
	if err := decode(r, &body); err != nil {
		return err
	}
	candidates := make([]scan.Hash, len(body.Candidates))
	for i, text := range body.Candidates {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(candidates[i]) {
			return problem.Invalid("candidates", "each is the hash of a window: %d hex digits", 2*len(candidates[i]))
		}
		copy(candidates[i][:], b)
	}
	found, err := s.Secrets.FindCandidates(r.Context(), actor, candidates)
	if err != nil {
		return err
	}
	out := api.ScanFound{Found: []api.FoundCandidate{}}
	for i, candidate := range candidates {
		for _, key := range found[candidate] {
			out.Found = append(out.Found, api.FoundCandidate{Candidate: body.Candidates[i], Key: string(key)})
		}
	}
	return writeJSON(w, http.StatusOK, out)
}
