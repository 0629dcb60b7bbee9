# Sendmail. TTL and WARN are how long its queue keeps a message and says nothing; TLS=yes: it sends under TLS alone,
# TLS=verified: to servers alone whose certificates are good.
case $1 in
start)
    for user in smmta smmsp; do add_user $user; done
    echo "$NAME" > /etc/mailname
    mkdir -p /var/lib/sendmail/host_status
    cat > /etc/mail/sendmail.mc <<END
include(\`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(\`debian')dnl
define(\`confDOMAIN_NAME', \`$NAME')dnl
define(\`confDONT_PROBE_INTERFACES', \`True')dnl
define(\`confTO_QUEUERETURN', \`${TTL:-1s}')dnl
define(\`confTO_QUEUEWARN', \`${WARN:-0}')dnl
define(\`confMIN_QUEUE_AGE', \`0')dnl
FEATURE(\`access_db')dnl
MAILER(\`local')dnl
MAILER(\`smtp')dnl
END
    m4 /etc/mail/sendmail.mc > /etc/mail/sendmail.cf
    case $TLS in yes) tls="TLS_Srv: ENCR:112" ;; verified) tls="TLS_Srv: VERIFY:112" ;; *) tls= ;; esac
    echo "$tls" | /usr/libexec/sendmail/makemap hash /etc/mail/access
    : > /etc/mail/local-host-names
    : > /etc/mail/trusted-users
    ;;
send)
    from=$2
    shift 2
    /usr/libexec/sendmail/sendmail -C /etc/mail/sendmail.cf -odb -oi -f "$from" "$@" || true
    ;;
retry)
    /usr/libexec/sendmail/sendmail -C /etc/mail/sendmail.cf -q
    sleep 0.5
    ;;
esac
