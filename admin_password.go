package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"infsh/auth"
	"infsh/cli"
	"infsh/redact"
)

func setPasswordCommand() *cobra.Command {
	var email string
	var passwordStdin bool
	cmd := &cobra.Command{
		Use:   "set-password --email EMAIL",
		Short: "Set a new password for one who forgot the old one",
		Long: `Set a new password. All sessions and command line logins of the account end;
API keys stay. Without --password-stdin a password is generated and printed
once.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if email == "" {
				return cli.Usage("--email is needed")
			}
			password := redact.NewValue(rand.Text())
			if passwordStdin {
				var err error
				if password, err = readPassword(cmd.InOrStdin()); err != nil {
					return err
				}
			}
			private()
			s, err := readSettings(cmd, storeSettings)
			if err != nil {
				return err
			}
			st, err := openStoreAsItIs(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer func() { _ = st.db.Close() }()
			if err := newServices(st, nil).Sessions.ResetPassword(cmd.Context(), auth.Operator(operatorName()), email, password); err != nil {
				return err
			}
			if passwordStdin {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "The new password is set.")
			} else {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "Password (shown once): %s\n", password.Reveal())
			}
			return err
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "email address of the account")
	cmd.Flags().BoolVar(&passwordStdin, "password-stdin", false, "read the password from standard input (one line)")
	addSettings(cmd, storeSettings)
	return cmd
}
