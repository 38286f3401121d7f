package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"infsh/account"
	"infsh/auth"
	"infsh/cli"
	"infsh/redact"
)

// maxPasswordInput is the most that --password-stdin reads, in bytes.
const maxPasswordInput = 4096

func adminCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "admin",
		Short: "Commands for the operator, at the server's own data",
		Args:  cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return cli.Usage("name a command, such as `infsh admin create-user`")
		},
	}
	cmd.AddCommand(createUserCommand(), setPasswordCommand(), resetFactorsCommand(), unlinkCommand(), auditCommand(), backupCommand(), restoreCommand(), newKEKCommand(), rotateKEKCommand(), rotateDEKCommand(), rotateIssuerKeyCommand())
	return cmd
}

func createUserCommand() *cobra.Command {
	var email, teamName string
	var passwordStdin, noPassword, asJSON bool
	cmd := &cobra.Command{
		Use:   "create-user --email EMAIL --team USERNAME",
		Short: "Make an account, with an API key; the first user of a team owns it",
		Long: `Make an account in a team, and an API key for it. A team that does not exist is
made, and its first user owns it; later users join as members. Without
--password-stdin a password is generated and printed once; with --no-password
there is none, and the person signs in by single sign-on.

It works on the data dir or database itself, beside a running server too.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if email == "" || teamName == "" {
				return cli.Usage("--email and --team are needed")
			}
			if passwordStdin && noPassword {
				return cli.Usage("--password-stdin and --no-password exclude each other")
			}
			var password redact.Value
			if passwordStdin {
				var err error
				if password, err = readPassword(cmd.InOrStdin()); err != nil {
					return err
				}
			}
			made, key, err := createUser(cmd, email, teamName, password, noPassword)
			if err != nil {
				return err
			}
			return printCreated(cmd.OutOrStdout(), made, key, asJSON)
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "email address of the user")
	cmd.Flags().StringVar(&teamName, "team", "", "username of the team")
	cmd.Flags().BoolVar(&passwordStdin, "password-stdin", false, "read the password from standard input (one line)")
	cmd.Flags().BoolVar(&noPassword, "no-password", false, "make no password: the person signs in by single sign-on")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	addSettings(cmd, storeSettings)
	return cmd
}

func readPassword(in io.Reader) (redact.Value, error) {
	b, err := io.ReadAll(io.LimitReader(in, maxPasswordInput+1))
	if err != nil {
		return redact.Value{}, fmt.Errorf("read the password: %w", err)
	}
	if len(b) > maxPasswordInput {
		return redact.Value{}, errors.New("the password on standard input is too long")
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if line == "" {
		return redact.Value{}, errors.New("there is no password on standard input")
	}
	return redact.NewValue(line), nil
}

func createUser(cmd *cobra.Command, email, teamName string, password redact.Value, noPassword bool) (account.Created, redact.Value, error) {
	ctx := cmd.Context()
	var none redact.Value
	private()
	s, err := readSettings(cmd, storeSettings)
	if err != nil {
		return account.Created{}, none, err
	}
	st, err := openStore(ctx, s)
	if err != nil {
		return account.Created{}, none, err
	}
	defer func() { _ = st.db.Close() }()
	if st.isNew {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: there was no store here, so a new one was made (data dir %s). If a server runs elsewhere, name its --data-dir.\n", s.dataDir)
	}

	services := newServices(st, nil)
	operator := auth.Operator(operatorName())
	var made account.Created
	if noPassword {
		made, err = services.Accounts.CreateUserWithoutPassword(ctx, operator, email, teamName)
	} else {
		made, err = services.Accounts.CreateUser(ctx, operator, email, teamName, password)
	}
	if err != nil {
		return account.Created{}, none, err
	}
	actor, err := services.Authenticator.OperatorAs(ctx, operator, made.UserID, made.TeamID)
	if err != nil {
		return account.Created{}, none, err
	}
	_, key, err := services.Keys.Create(ctx, actor, auth.NewKey{Name: "made by infsh admin create-user"})
	return made, key, err
}

// operatorName says in the audit log which account of the machine it was.
func operatorName() string {
	u, err := user.Current()
	if err != nil {
		return "operator"
	}
	return u.Username
}

// printCreated prints the credentials, which are shown this once.
func printCreated(out io.Writer, made account.Created, key redact.Value, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			UserID   string `json:"user_id"`
			TeamID   string `json:"team_id"`
			Team     string `json:"team"`
			Email    string `json:"email"`
			APIKey   string `json:"api_key"`
			Password string `json:"password,omitempty"`
		}{made.UserID, made.TeamID, made.TeamUsername, made.Email, key.Reveal(), made.Password.Reveal()})
	}
	text := fmt.Sprintf("%s is %s of team %s.\nAPI key (shown once): %s\n", made.Email, made.Role, made.TeamUsername, key.Reveal())
	if !made.Password.IsZero() {
		text += fmt.Sprintf("Password (shown once): %s\n", made.Password.Reveal())
	}
	_, err := io.WriteString(out, text)
	return err
}
