# The DragonFly Mail Agent. It gives up after five days, so what is tried again is made to look as old as that. TLS=yes: it
# sends under TLS alone.
case $1 in
start)
    echo "$NAME" > /etc/mailname
    chgrp mail /usr/sbin/dma && chmod 2755 /usr/sbin/dma
    install -d -m 2775 -g mail /var/spool/dma
    echo "MAILNAME $NAME" > /etc/dma/dma.conf
    if [ -n "$TLS" ]; then printf 'SECURETRANSFER\nSTARTTLS\n' >> /etc/dma/dma.conf; fi
    : > /etc/dma/auth.conf
    ;;
send)
    from=$2
    shift 2
    # A process that waits for its next try lets nobody else have one.
    timeout --signal=KILL 3 dma -D -i -f "$from" "$@" || true
    ;;
retry)
    touch -d '6 days ago' /var/spool/dma/*
    timeout --signal=KILL 3 dma -D -q || true
    ;;
esac
