package api

import "context"

// Fingerprints is the answer to POST /secrets/fingerprints: what a search of files for a
// team's values needs, as package scan of the server's sources describes.
type Fingerprints struct {
	// Salt is the team's key of the hashes, in hex.
	Salt         string  `json:"salt"`
	Fingerprints []int64 `json:"fingerprints"`
	// Skipped are secrets that are not looked for, being short or guessable.
	Skipped []string `json:"skipped"`
}

// ScanCandidates is the body of POST /secrets/scan: hashes of windows in hex, up to
// 1024 of them.
type ScanCandidates struct {
	Candidates []string `json:"candidates"`
}

// ScanFound is its answer.
type ScanFound struct {
	Found []FoundCandidate `json:"found"`
}

// FoundCandidate says whose secret's value a window is of.
type FoundCandidate struct {
	Candidate string `json:"candidate"`
	Key       string `json:"key"`
}

// MaxScanCandidates is how many candidates one call takes.
const MaxScanCandidates = 1024

// Fingerprints asks for what a search of files needs.
func (c *Client) Fingerprints(ctx context.Context) (Fingerprints, error) {
	return ask[Fingerprints](ctx, c, c.base, BasePath+"/secrets/fingerprints", struct{}{})
}

// FindCandidates asks which windows are of which secrets.
func (c *Client) FindCandidates(ctx context.Context, in ScanCandidates) (ScanFound, error) {
	return ask[ScanFound](ctx, c, c.base, BasePath+"/secrets/scan", in)
}
