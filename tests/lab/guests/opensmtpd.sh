# OpenSMTPD. TTL and WARN are how long its queue keeps a message and says nothing; TLS=yes: it sends under TLS alone,
# TLS=verified: to servers alone whose certificates are good.
case $1 in
start)
    for user in opensmtpd opensmtpq; do add_user $user; done
    mkdir -p /var/lib/opensmtpd/empty
    ln -sf smtpctl /usr/sbin/sendmail
    chgrp opensmtpq /usr/sbin/smtpctl && chmod 2755 /usr/sbin/smtpctl
    echo "$NAME" > /etc/mailname
    case $TLS in yes) tls="tls no-verify" ;; verified) tls=tls ;; *) tls= ;; esac
    cat > /etc/smtpd.conf <<END
queue ttl ${TTL:-2s}
bounce warn-interval ${WARN:-1d}
action "out" relay $tls
match from local for any action "out"
END
    ( exec smtpd -d > /var/log/guest.log 2>&1 < /dev/null & )
    until [ -S /var/run/smtpd.sock ]; do sleep 0.1; done
    ;;
send)
    from=$2
    shift 2
    sendmail -f "$from" "$@"
    ;;
retry)
    # It does so by itself.
    sleep 0.5
    ;;
esac
