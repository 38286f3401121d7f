package sso

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Request is what leads a browser to the provider.
type Request struct {
	State, Nonce string
	// Verifier is the secret of PKCE (RFC 7636), of which the provider is shown
	// the SHA-256 first.
	Verifier string
	// Anew asks the provider to have the person sign in once more, whatever
	// session there is.
	Anew bool
}

// AuthURL is the provider's page on which a person signs in.
//
// Errors: a Failure.
func (p *Provider) AuthURL(ctx context.Context, q Request) (string, error) {
	says, err := p.metadata(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(q.Nonce), oauth2.S256ChallengeOption(q.Verifier)}
	if q.Anew {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return says.oauth.AuthCodeURL(q.State, options...), nil
}

// Answer is what a browser brings back from the provider, and what the request
// was that it answers.
type Answer struct {
	Code string
	// Issuer is who says that they answer; empty if nobody does.
	Issuer          string
	Nonce, Verifier string
	// Begun is when the browser was sent away.
	Begun time.Time
}

// Identity is who somebody is at the provider.
type Identity struct {
	Issuer, Subject string
	Email           string
	// EmailVerified says that the provider knows the address to be the person's.
	EmailVerified bool
	// Fresh says that the person has signed in at the provider since the browser
	// was sent there, and was not only known from before.
	Fresh bool
}

// Reason says, for the audit log, why a sign-in came to nothing.
type Reason string

const (
	// Unavailable is a provider that does not answer, or not as one.
	Unavailable Reason = "sso_provider_unavailable"
	// Unregistered is one that does not know this server, or not its secret.
	Unregistered Reason = "sso_client_refused"
	// Unproved is an answer that does not prove what it says.
	Unproved Reason = "sso_answer_not_valid"
)

// Failure is why it was not found out who somebody is. Its text is for a log.
type Failure struct {
	Reason Reason
	cause  error
}

func (f *Failure) Error() string { return string(f.Reason) + ": " + f.cause.Error() }
func (f *Failure) Unwrap() error { return f.cause }

func fail(reason Reason, cause error) error { return &Failure{reason, cause} }

func unproved(format string, args ...any) error { return fail(Unproved, fmt.Errorf(format, args...)) }

// claims are what is read of an ID token beyond what the library does.
type claims struct {
	AuthorizedParty *string         `json:"azp"`
	AuthTime        *json.Number    `json:"auth_time"`
	Email           string          `json:"email"`
	EmailVerified   json.RawMessage `json:"email_verified"`
}

// Identify finds out who it is that came back.
//
// Errors: a Failure.
func (p *Provider) Identify(ctx context.Context, a Answer) (Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	says, err := p.metadata(ctx)
	if err != nil {
		return Identity{}, err
	}
	// An answer that another provider gave, who was asked by somebody else's
	// doing, must not be shown to this one (RFC 9207).
	if a.Issuer != p.config.Issuer && (a.Issuer != "" || says.namesItself) {
		return Identity{}, unproved("the answer names another issuer, or none")
	}
	ctx = p.client.in(ctx)
	tokens, err := says.oauth.Exchange(ctx, a.Code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return Identity{}, exchangeFailure(err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return Identity{}, unproved("there is no ID token")
	}
	token, err := says.verifier.Verify(ctx, raw)
	if err != nil {
		return Identity{}, unproved("the ID token: %w", err)
	}
	var said claims
	if err := token.Claims(&said); err != nil {
		return Identity{}, unproved("read the ID token: %w", err)
	}
	if err := p.check(token, said, a, tokens.AccessToken); err != nil {
		return Identity{}, err
	}
	who := Identity{Issuer: p.config.Issuer, Subject: token.Subject, Email: said.Email, EmailVerified: isTrue(said.EmailVerified), Fresh: p.fresh(token, said, a)}
	if (who.Email == "" || said.EmailVerified == nil) && says.provider.UserInfoEndpoint() != "" {
		info, err := says.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err != nil {
			return Identity{}, fail(Unavailable, fmt.Errorf("ask for the address: %w", err))
		}
		// What is said of somebody else counts for nothing (section 5.3.4).
		if info.Subject != token.Subject {
			return Identity{}, unproved("the address is that of another subject")
		}
		if info.Email != "" {
			who.Email, who.EmailVerified = info.Email, info.EmailVerified
		}
	}
	return who, nil
}

// check does what the library leaves to its caller (OpenID Connect Core,
// section 3.1.3.7). It has checked the signature by an asymmetric algorithm, the
// issuer, the audience and the end.
func (p *Provider) check(t *oidc.IDToken, said claims, a Answer, access string) error {
	switch {
	case a.Nonce == "" || subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(a.Nonce)) != 1:
		return unproved("the ID token answers another request")
	case said.AuthorizedParty != nil && *said.AuthorizedParty != p.config.ClientID:
		return unproved("the ID token was issued to another client")
	case said.AuthorizedParty == nil && len(t.Audience) > 1:
		return unproved("the ID token does not say to which of its audiences it was issued")
	case t.IssuedAt.Sub(p.now()).Abs() > clockSkew:
		return unproved("the clocks of the provider and of this server differ by more than %s", clockSkew)
	case t.Subject == "" || len(t.Subject) > maxSubject || strings.ContainsFunc(t.Subject, unicode.IsControl):
		return unproved("the ID token names nobody")
	}
	if t.AccessTokenHash != "" {
		if err := t.VerifyAccessToken(access); err != nil {
			return unproved("the access token is another one than the ID token's")
		}
	}
	return nil
}

// fresh compares two times of the provider's clock, so that it does not matter
// how far that is from ours.
func (p *Provider) fresh(t *oidc.IDToken, said claims, a Answer) bool {
	if said.AuthTime == nil {
		return false
	}
	at, err := said.AuthTime.Float64()
	if err != nil || at <= 0 {
		return false
	}
	before := t.IssuedAt.Sub(time.Unix(int64(at), 0))
	return before <= p.now().Sub(a.Begun)+freshSkew
}

// isTrue takes true, and "true" as some providers write it; whatever else there
// is, or is not, is no.
func isTrue(raw json.RawMessage) bool { return string(raw) == "true" || string(raw) == `"true"` }

// exchangeFailure keeps of a refusal what the protocol names, and no text.
func exchangeFailure(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return fail(Unavailable, fmt.Errorf("exchange the code: %w", err))
	}
	switch refused.ErrorCode {
	case "invalid_client", "unauthorized_client":
		return fail(Unregistered, errors.New(refused.ErrorCode))
	case "invalid_grant", "invalid_request", "invalid_scope", "unsupported_grant_type":
		return unproved("exchange the code: %s", refused.ErrorCode)
	}
	return fail(Unavailable, errors.New("exchange the code: an answer that is none of the protocol's"))
}
