// Package integration is about a team's connections to outside services, by
// OAuth or by a provider's key. This release connects none: apps may declare
// integrations, and the answers here say truly that there are none.
package integration

import (
	"context"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// Service is the way to a team's integrations.
type Service struct{ log audit.Log }

// NewService makes a Service that records denials in the log.
func NewService(log audit.Log) *Service { return &Service{log: log} }

// Integration is a connection of a team to a provider. There is none yet.
type Integration struct{ ID string }

// List returns the team's integrations.
func (s *Service) List(ctx context.Context, actor team.Actor) ([]Integration, error) {
	return nil, audit.Guard(ctx, s.log, actor, team.ListIntegrations, "")
}

// Get returns problem.NotFound for any provider.
func (s *Service) Get(ctx context.Context, actor team.Actor) error {
	if err := audit.Guard(ctx, s.log, actor, team.ListIntegrations, ""); err != nil {
		return err
	}
	return none()
}

// Connect returns problem.NotImplemented.
func (s *Service) Connect(ctx context.Context, actor team.Actor) error {
	if err := audit.Guard(ctx, s.log, actor, team.ConnectIntegration, ""); err != nil {
		return err
	}
	return problem.New(problem.NotImplemented, "This release connects no integrations. Set the provider's key as a secret of the team instead, and let the app declare it.")
}

// Disconnect returns problem.NotFound for any provider.
func (s *Service) Disconnect(ctx context.Context, actor team.Actor) error {
	if err := audit.Guard(ctx, s.log, actor, team.ConnectIntegration, ""); err != nil {
		return err
	}
	return none()
}

func none() error {
	return problem.New(problem.NotFound, "The team has no such integration; this release connects none.")
}
