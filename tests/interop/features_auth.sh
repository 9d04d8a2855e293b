# User names, passwords, challenges, tokens, and a server that wants to wait.

# auth_script: what the server does with $user and $password; from stdin.
auth_script() {
  {
    echo 'user=$(sed -n 1p "$1")'
    echo 'password=$(sed -n 2p "$1")'
    echo "cd $lab_dir || exit 1"
    cat
  } | script check-login
}
login_lines() {
  echo "auth-user-pass-verify $lab_dir/check-login via-file"
}

# The usual server: ann with her password.
serve_ann() {
  auth_script <<'END'
[ "$user" = ann ] && [ "$password" = "open sesame" ]
END
  serve "$(login_lines)
${1:-}"
}

# on_terminal PROMPT ANSWER...: the client has a terminal, where somebody
# answers.
on_terminal() {
  {
    printf '#!/bin/sh\nexec %s %s' "$python" "$here/terminal.py"
    printf ' "%s"' "$@"
    printf ' -- "$@"\n'
  } >"$lab_dir/on-terminal"
  chmod 755 "$lab_dir/on-terminal"
  CLIENT_WRAPPER="$lab_dir/on-terminal $CLIENT_WRAPPER"
}

# -- names and passwords -----------------------------------------------------

case_login_file() {
  serve_ann
  printf 'ann\nopen sesame\n' >"$lab_dir/login"
  profile "auth-user-pass $lab_dir/login"
  compare
}

case_login_inline() {
  serve_ann
  profile "<auth-user-pass>
ann
open sesame
</auth-user-pass>"
  compare
}

case_login_prompt() {
  serve_ann
  on_terminal "Enter Auth Username:" ann "Enter Auth Password:" "open sesame"
  profile "auth-user-pass"
  compare
}

# A file with the name only.
case_login_prompt_for_password() {
  serve_ann
  echo ann >"$lab_dir/login"
  on_terminal "Enter Auth Password:" "open sesame"
  profile "auth-user-pass $lab_dir/login"
  compare
}

# No certificate at all.
case_login_alone() {
  serve_ann "verify-client-cert none"
  printf 'ann\nopen sesame\n' >"$lab_dir/login"
  profile "auth-user-pass $lab_dir/login"
  edit_profile '/^<cert>/,/^<\/key>/d'
  compare
}

case_login_nobody_to_ask() {
  serve_ann
  profile "auth-user-pass"
  each ends_without_question
}
ends_without_question() {
  # shellcheck disable=SC2086 # the limits are a list of words
  CLIENT_WRAPPER="setsid $CLIENT_WRAPPER" \
    start_client "$lab_dir/client.ovpn" $limits
  client_ends_within 10
  expect_exit 2 6 7
}

case_auth_failed_reason() {
  auth_script <<'END'
echo "the account is locked, ask Bob" >"$auth_failed_reason_file"
exit 1
END
  serve "$(login_lines)"
  printf 'ann\nopen sesame\n' >"$lab_dir/login"
  profile "auth-user-pass $lab_dir/login"
  both_fail 6 "AUTH_FAILED,the account is locked, ask Bob"
}

# The server asks to come back later, and this may be after a pause.
case_auth_failed_temp() {
  auth_script <<'END'
[ -e second-time ] && exit 0
: >second-time
echo "TEMP[backoff 1,advance no]:the directory is down" \
  >"$auth_failed_reason_file"
exit 1
END
  serve "$(login_lines)"
  printf 'ann\nopen sesame\n' >"$lab_dir/login"
  profile "auth-user-pass $lab_dir/login"
  back_off() {
    expect_words "AUTH_FAILED,.*the directory is down"
    rm "$lab_dir/second-time"
  }
  compare back_off
}

# refused_once: only the second login is let in.
refused_once() {
  auth_script <<'END'
[ -e second-time ] && exit 0
: >second-time
exit 1
END
  serve "$(login_lines)"
  printf 'ann\nopen sesame\n' >"$lab_dir/login"
}
case_auth_retry_nointeract() {
  refused_once
  profile "auth-user-pass $lab_dir/login
auth-retry nointeract"
  each comes_again
  expect_agreement settings ways
}
comes_again() {
  # The stock client would sleep for ten seconds after a refusal, and nothing
  # wakes it: it is let in at once.
  is_ours || : >"$lab_dir/second-time"
  start_client "$lab_dir/client.ovpn"
  client_is_up
  if is_ours; then
    expect_words "AUTH_FAILED"
  fi
  take_picture
  rm "$lab_dir/second-time"
  leave
}

# -- challenges --------------------------------------------------------------

case_static_challenge() {
  auth_script <<'END'
[ "$user" = ann ] || exit 1
password=${password#SCRV1:} || exit 1
[ "$(echo "${password%%:*}" | base64 -d)" = "open sesame" ] &&
  [ "$(echo "${password#*:}" | base64 -d)" = 123456 ]
END
  serve "$(login_lines)"
  on_terminal "Enter Auth Username:" ann "Enter Auth Password:" \
    "open sesame" "Number on the token" 123456
  profile 'auth-user-pass
static-challenge "Number on the token" 1'
  compare
}

# The server asks after it has seen the password.
case_dynamic_challenge() {
  auth_script <<'END'
case $password in
  "open sesame")
    printf 'CRV1:R,E:state42:%s:Number on the token' \
      "$(printf ann | base64)" >"$auth_failed_reason_file"
    exit 1 ;;
  CRV1::state42::123456) [ "$user" = ann ] ;;
  *) exit 1 ;;
esac
END
  serve "$(login_lines)"
  on_terminal "Enter Auth Username:" ann "Enter Auth Password:" \
    "open sesame" "Number on the token" 123456
  profile "auth-user-pass
auth-retry interact"
  compare
}

# -- deferred ----------------------------------------------------------------

# The server's script answers from the background, when $lab_dir/approved is
# there; what it is to tell meanwhile comes from stdin.
deferred_script() {
  {
    cat
    cat <<'END'
# Nobody inherits the pipes of the server, or it would wait for them.
(
  until [ -e approved ] || [ ! -d . ]; do sleep 0.05; done
  rm approved
  echo 1 >"$auth_control_file"
) >/dev/null 2>&1 </dev/null &
exit 2
END
  } | auth_script
  printf 'ann\nopen sesame\n' >"$lab_dir/login"
}

case_auth_deferred() {
  deferred_script </dev/null
  serve "$(login_lines)"
  profile "auth-user-pass $lab_dir/login"
  each deferred_login
  expect_agreement settings ways
}
deferred_login() {
  : >"$lab_dir/approved"
  visit :
}

# The server sends the user to a web page and waits.
case_auth_pending() {
  deferred_script <<'END'
printf '10\nwebauth\nWEB_AUTH::https://login.example.org/?session=7\n' \
  >"$auth_pending_file"
END
  serve "$(login_lines)"
  profile "auth-user-pass $lab_dir/login
setenv IV_SSO webauth
push-peer-info"
  each web_login
  expect_agreement settings ways
}
web_login() {
  start_client "$lab_dir/client.ovpn" --verb 4
  client_says 10 "https://login.example.org/\?session=7"
  if grep -qF "$up_phrase" "$client_log"; then
    fail "the client does not wait"
  fi
  : >"$lab_dir/approved"
  client_is_up
  take_picture
  leave
}

# -- tokens ------------------------------------------------------------------

# The password is asked for once; later the token does.
case_auth_token() {
  auth_script <<'END'
[ "$password" = "open sesame" ] || exit 1
echo "$user" >>logins
END
  serve "$(login_lines)
auth-gen-token 60 10
hand-window 5
reneg-sec 2"
  printf 'ann\nopen sesame\n' >"$lab_dir/login"
  profile "auth-user-pass $lab_dir/login"
  compare token_is_used
}
token_is_used() {
  server_says 10 "Control Channel: TLSv1" 2
  expect_answer "$ns_client" 10.8.0.1
  [ "$(wc -l <"$lab_dir/logins")" = 1 ] ||
    fail "the password was sent more than once"
  rm "$lab_dir/logins"
}

# A token that has run out: back with the password, without asking anybody.
case_auth_token_expired() {
  auth_script <<'END'
[ "$password" = "open sesame" ] || exit 1
echo "$user" >>logins
END
  serve "$(login_lines)
auth-gen-token 3 6
hand-window 3
reneg-sec 4"
  printf 'ann\nopen sesame\n' >"$lab_dir/login"
  profile "auth-user-pass $lab_dir/login"
  compare password_is_sent_again
}
password_is_sent_again() {
  client_says 15 "$up_phrase" 2
  expect_answer "$ns_client" 10.8.0.1
  [ "$(wc -l <"$lab_dir/logins")" = 2 ] || fail "no second login"
  rm "$lab_dir/logins"
}
