package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"infsh/api"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

func (s *server) listSecrets(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	q, err := listQuery(r, secret.Listing)
	if err != nil {
		return err
	}
	page, err := s.Secrets.Page(r.Context(), actor, q)
	if err != nil {
		return err
	}
	return writeList(w, secret.Listing, page, q, s.secretJSON)
}

func (s *server) createSecret(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.SecretBody
	if err := decode(r, &body); err != nil {
		return err
	}
	write, err := secretWrite(body.Key, body.SecretWrite)
	if err != nil {
		return err
	}
	written, err := s.Secrets.Set(r.Context(), actor, secret.Create, write)
	if err != nil {
		return err
	}
	setVersion(w, written.Secret)
	return writeJSON(w, http.StatusCreated, s.writtenJSON(written))
}

func (s *server) updateSecret(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.SecretBody
	if err := decode(r, &body); err != nil {
		return err
	}
	key := r.PathValue("key")
	if body.Key != "" && body.Key != key {
		return problem.Invalid("key", "a secret can't be renamed; it is %s in the address", key)
	}
	write, err := secretWrite(key, body.SecretWrite)
	if err != nil {
		return err
	}
	if write.IfVersion, err = ifMatch(r); err != nil {
		return err
	}
	written, err := s.Secrets.Set(r.Context(), actor, secret.Change, write)
	if err != nil {
		return err
	}
	setVersion(w, written.Secret)
	return writeJSON(w, http.StatusOK, s.writtenJSON(written))
}

// setVersion names the version in use as the entity tag, for If-Match.
func setVersion(w http.ResponseWriter, found secret.Secret) {
	w.Header().Set("ETag", fmt.Sprintf(`"%d"`, found.Version))
}

// ifMatch reads the versions that a change is meant for (RFC 9110, section
// 13.1.1); nil is any.
func ifMatch(r *http.Request) ([]int64, error) {
	given := strings.Join(r.Header.Values("If-Match"), ",")
	if given == "" || strings.TrimSpace(given) == "*" {
		return nil, nil
	}
	var versions []int64
	for _, tag := range strings.Split(given, ",") {
		tag = strings.TrimSpace(tag)
		n, err := strconv.ParseUint(strings.Trim(tag, `"`), 10, 63)
		if err != nil || tag != fmt.Sprintf(`"%d"`, n) {
			return nil, badRequest("If-Match must be a version as the ETag of an answer has it, such as \"3\" with its quotation marks, or *.")
		}
		versions = append(versions, int64(n))
	}
	return versions, nil
}

func secretWrite(key string, body api.SecretWrite) (secret.Write, error) {
	write := secret.Write{
		Key: key, Value: valueOf(body.Value), Description: body.Description, Verbatim: body.Verbatim, AllowRiskyName: body.AllowRiskyName, Stage: body.Stage,
		RotateEvery: body.RotateEveryDays,
	}
	if body.ExpiresAt == nil {
		return write, nil
	}
	end, err := secret.ParseEnd(*body.ExpiresAt)
	write.ExpiresAt = &end
	return write, err
}

func valueOf(p *api.Plaintext) *redact.Value {
	if p == nil {
		return nil
	}
	return &p.Value
}

func (s *server) getSecret(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	found, err := s.Secrets.Get(r.Context(), actor, r.PathValue("key"))
	if err != nil {
		return err
	}
	setVersion(w, found)
	return writeJSON(w, http.StatusOK, s.secretJSON(found))
}

func (s *server) revealSecret(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	found, value, err := s.Secrets.Reveal(r.Context(), actor, r.PathValue("key"))
	if err != nil {
		return err
	}
	setVersion(w, found)
	out := s.secretJSON(found)
	out.Value = api.NewPlaintext(value)
	return writeRevealed(w, http.StatusOK, out)
}

func (s *server) deleteSecret(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if _, err := s.Secrets.Delete(r.Context(), actor, r.PathValue("key")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) secretVersions(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	versions, err := s.Secrets.History(r.Context(), actor, r.PathValue("key"))
	if err != nil {
		return err
	}
	out := api.SecretVersions{Items: []api.SecretVersion{}}
	for _, v := range versions {
		out.Items = append(out.Items, api.SecretVersion{
			Version: v.Number, MaskedValue: v.Masked, CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy,
			State: api.VersionState(v.State), Current: v.State == secret.Active, ExpiresAt: optionalTime(v.ExpiresAt),
		})
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) rollbackSecret(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.RollbackRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	rolled, err := s.Secrets.Rollback(r.Context(), actor, r.PathValue("key"), body.Version)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.secretJSON(rolled))
}

func (s *server) activateSecret(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.ActivateRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	activated, err := s.Secrets.Activate(r.Context(), actor, r.PathValue("key"), body.Version)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.writtenJSON(activated))
}

func (s *server) importSecrets(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.ImportRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	in := secret.Import{Overwrite: body.Overwrite, DryRun: body.DryRun, AllowRiskyName: body.AllowRiskyName}
	for i, item := range body.Items {
		if item.Value == nil {
			return problem.Invalid(fmt.Sprintf("items[%d].value", i), "a value is needed")
		}
		in.Items = append(in.Items, secret.ImportItem{Key: item.Key, Value: item.Value.Value, Description: item.Description})
	}
	results, written, err := s.Secrets.Import(r.Context(), actor, in)
	if err != nil {
		return err
	}
	out := api.ImportResponse{Items: []api.ImportResult{}, Written: written}
	for _, res := range results {
		out.Items = append(out.Items, api.ImportResult{Key: res.Key, Status: api.ImportStatus(res.Status), Detail: res.Detail})
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) secretJSON(one secret.Secret) api.Secret {
	return api.Secret{
		Owned: owned(one.ID, one.CreatedByID, one.TeamID, one.CreatedAt, one.UpdatedAt),
		Key:   string(one.Key), MaskedValue: one.Masked, Description: one.Description, Scope: api.ScopeTeam, Version: one.Version, StagedVersion: one.StagedVersion, UpdatedBy: one.UpdatedBy,
		ValueAt: optionalTime(one.ValueAt), RotateEveryDays: one.RotateEvery, RotateAt: optionalTime(one.RotateAt()), Rotation: string(one.Rotation(s.now())),
		ExpiresAt: optionalTime(one.ExpiresAt), Expiry: string(one.Expiry(s.now())),
	}
}

func (s *server) writtenJSON(written secret.Written) api.Secret {
	out := s.secretJSON(written.Secret)
	out.StoredVersion, out.Unchanged, out.Warnings = written.Stored, written.Unchanged, written.Warnings
	return out
}

func object(id string, created, updated time.Time) api.Object {
	return api.Object{ID: id, ShortID: shortID(id), CreatedAt: created, UpdatedAt: updated}
}

func owned(id, userID, teamID string, created, updated time.Time) api.Owned {
	return api.Owned{Object: object(id, created, updated), UserID: userID, TeamID: teamID, Visibility: api.VisibilityPrivate}
}

// shortID is the end of an id, which is random.
func shortID(id string) string {
	const length = 8
	if len(id) <= length {
		return id
	}
	return id[len(id)-length:]
}
