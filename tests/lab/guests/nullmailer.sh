# Nullmailer, which hands everything to one SERVER: the partner's, and what comes back to ACME's. TTL is how many seconds
# its queue keeps a message; TLS=yes: it sends under TLS alone.
case $1 in
start)
    echo "$NAME" > /etc/mailname
    chown -R mail:mail /var/spool/nullmailer
    chown mail /usr/sbin/nullmailer-queue && chmod 4755 /usr/sbin/nullmailer-queue
    mkfifo -m 622 /var/spool/nullmailer/trigger && chown mail:mail /var/spool/nullmailer/trigger
    cd /etc/nullmailer
    echo "$NAME" | tee helohost > defaultdomain
    # One try each time that it is started.
    echo 0 > pausetime
    echo "${TTL:-1}" > queuelifetime
    ;;
send)
    from=$2
    shift 2
    sendmail -f "$from" "$@"
    ;;
retry)
    cd /var/spool/nullmailer
    try() {
        echo "$1 smtp${2:+ --starttls}" > /etc/nullmailer/remotes
        setpriv --reuid mail --regid mail --clear-groups nullmailer-send >> /var/log/guest.log 2>&1 || true
    }
    [ -n "$(ls failed)" ] || try "${SERVER:-mx.partner.test}" "$TLS"
    [ -z "$(ls failed)" ] || try mx.acme.test
    sleep 0.5
    ;;
esac
